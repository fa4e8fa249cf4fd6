"""What a message is: addresses, envelope, header fields, MIME structure, replies. Bytes only; no Twisted, clock or
disk."""
