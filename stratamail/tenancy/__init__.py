"""Who owns what: accounts, domains, addresses, mailboxes, and the directory that answers who a recipient is."""
