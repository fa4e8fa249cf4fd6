"""The shadow mailbox as a session sees it.

Promises: a captured message shows at once in every session that looks at its folder; sequence numbers never shift under
a running command; nothing done here cancels what is owed to the primary (only the shadow copy changes); an appended
message is durable before its OK. A folder in memory is columns, never an object per message.
"""
