"""What people set: accounts, admins, domains, mailboxes, addresses, and the audit of it. One repository a file."""
