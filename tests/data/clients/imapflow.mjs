// A scripted day of imapflow: arguments port, user, password, plain, tls or starttls.
// Prints one JSON object; exits with 1 and a reason on stderr.

import { createRequire } from 'node:module';
import { join } from 'node:path';
import assert from 'node:assert/strict';

const { ImapFlow } = createRequire(join(process.cwd(), 'x'))('imapflow');
const [port, user, pass, secure] = process.argv.slice(2);
const client = new ImapFlow({
    host: '127.0.0.1', port: Number(port), secure: secure === 'tls', tls: { rejectUnauthorized: false },
    auth: { user, pass }, logger: false, doSTARTTLS: secure === 'starttls', qresync: true
});
const events = [];
client.on('error', error => { console.error(error); process.exit(1); });
client.on('exists', event => events.push(['exists', event.path, event.count]));
client.on('expunge', event => events.push(['expunge', event.path, event.uid ?? event.seq, event.vanished ?? false]));
client.on('flags', event => events.push(['flags', event.path, event.uid ?? event.seq, [...event.flags].sort()]));
const out = {};
await client.connect();
out.capabilities = [...client.capabilities.keys()].sort();

const folders = await client.list({ statusQuery: { messages: true, unseen: true, uidNext: true } });
out.special = Object.fromEntries(folders.filter(f => f.specialUse).map(f => [f.specialUse, f.path]));
out.inbox = (({ messages, unseen, uidNext }) => ({ messages, unseen, uidNext }))(folders.find(f => f.path === 'INBOX').status);

let lock = await client.getMailboxLock('INBOX');
out.exists = client.mailbox.exists;
assert(client.mailbox.highestModseq > 0n, 'a mailbox has a HIGHESTMODSEQ');
out.rows = [];
for await (const row of client.fetch('1:*', {
    uid: true, flags: true, envelope: true, bodyStructure: true, internalDate: true, size: true, headers: ['subject']
})) {
    assert(row.modseq > 0n);
    out.rows.push([row.uid, row.envelope.subject, row.envelope.from[0].address, row.bodyStructure.type,
        row.headers.toString().trim(), row.size > 100]);
}
out.found = await client.search({ subject: 'Letter 2', seen: false }, { uid: true });
out.either = await client.search({ or: [{ header: { 'message-id': 'letter.1@' } }, { body: 'letter 3' }] }, { uid: true });
const source = await client.fetchOne('2', { source: true }, { uid: true });
out.source = source.source.toString();
const part = await client.download('1', '1', { uid: true });
let text = '';
for await (const chunk of part.content) text += chunk;
out.text = text;

await client.messageFlagsAdd('1:2', ['\\Seen', 'Wichtig'], { uid: true });
await client.messageFlagsRemove('2', ['\\Seen'], { uid: true });
await client.messageFlagsSet({ uid: '3' }, ['\\Flagged'], { uid: true });
const created = await client.mailboxCreate(['Projekte', 'Köln & Bonn']);
out.created = created.path;
const copied = await client.messageCopy('1', created.path, { uid: true });
out.copied = [...copied.uidMap];
const moved = await client.messageMove('2,4', created.path, { uid: true });
out.moved = [...moved.uidMap];
await client.messageDelete('5', { uid: true });
out.left = await client.search({ all: true }, { uid: true });
const known = client.mailbox.highestModseq;
await client.messageFlagsAdd('3', ['\\Answered'], { uid: true });
out.changed = [];
for await (const row of client.fetch('1:*', { uid: true, flags: true }, { changedSince: known })) out.changed.push(row.uid);
const unchanged = await client.messageFlagsAdd('3', ['Late'], { uid: true, unchangedSince: known });
out.unchanged = unchanged;
lock.release();

const filed = await client.append('Drafts', 'Subject: draft\r\n\r\nGrüße\r\n', ['\\Draft', '\\Seen'], new Date('2024-02-29T12:00:00Z'));
out.filed = [filed.destination ?? filed.path, filed.uid];
lock = await client.getMailboxLock('Drafts', { readOnly: true });
const draft = await client.fetchOne('*', { internalDate: true, flags: true });
out.draft = [draft.internalDate.toISOString(), [...draft.flags].sort()];
lock.release();
out.status = await client.status(created.path, { messages: true, unseen: true });
out.renamed = (await client.mailboxRename(created.path, 'Archive/Köln')).newPath;
await client.mailboxSubscribe('Archive/Köln');
await client.mailboxUnsubscribe('Archive/Köln');
await client.mailboxDelete('Archive/Köln');

// idling: what another session does is heard within seconds
lock = await client.getMailboxLock('INBOX');
lock.release();
const heard = new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('nothing was heard while idling')), 10_000);
    client.on('exists', event => { clearTimeout(timer); resolve(event.count); });
});
const idling = client.idle();
const other = new ImapFlow({ host: '127.0.0.1', port: Number(port), secure: secure === 'tls',
    tls: { rejectUnauthorized: false }, auth: { user, pass }, logger: false, doSTARTTLS: secure === 'starttls' });
await other.connect();
await other.append('INBOX', 'Subject: pushed\r\nMessage-ID: <pushed@clients.example>\r\n\r\nx\r\n');
out.heard = await heard;
await other.logout();
await client.noop();
await idling;
await client.logout();
out.events = events;
console.log(JSON.stringify(out));
