"""The commands' grammar, one file a group; :mod:`stratamail.imap.grammar.table` knows them all."""
