"""What the tests share: a running server, primaries that can be stopped and scripted, Postfix, DNS, messages."""
