// A scripted day of node-imap: arguments port, user, password, plain, tls or starttls.
// Prints one JSON object; exits with 1 and a reason on stderr.

const { createRequire } = require('node:module');
const { join } = require('node:path');

const Imap = createRequire(join(process.cwd(), 'x'))('imap');
const [port, user, password, secure] = process.argv.slice(2);
const imap = new Imap({
    user, password, host: '127.0.0.1', port: Number(port), tls: secure === 'tls', tlsOptions: { rejectUnauthorized: false },
    autotls: secure === 'starttls' ? 'required' : 'never', authTimeout: 10_000, keepalive: { interval: 500, idleInterval: 60_000, forceNoop: false }
});
const out = { mail: [], expunge: [], update: [] };

// each method takes a callback at the end; as promises they read in order
const call = (name, ...args) => new Promise((resolve, reject) =>
    imap[name](...args, (error, result) => (error ? reject(error) : resolve(result))));

const fetchAll = (what, options) => new Promise((resolve, reject) => {
    const rows = [];
    const fetching = imap.fetch(what, options);
    fetching.on('message', (message, seqno) => {
        const row = { seqno, bodies: {} };
        message.on('body', (stream, info) => {
            row.bodies[info.which] = '';
            stream.on('data', chunk => { row.bodies[info.which] += chunk.toString('utf8'); });
        });
        message.once('attributes', attributes => { row.attributes = attributes; });
        message.once('end', () => rows.push(row));
    });
    fetching.once('error', reject);
    fetching.once('end', () => resolve(rows));
});

async function day() {
    out.special = {};
    const boxes = await call('getBoxes');
    for (const [name, box] of Object.entries(boxes)) if (box.special_use_attrib) out.special[box.special_use_attrib] = name;
    const box = await call('openBox', 'INBOX', false);
    out.total = box.messages.total;
    out.keywords = box.newKeywords;
    imap.on('mail', count => out.mail.push(count));
    imap.on('expunge', seqno => out.expunge.push(seqno));
    imap.on('update', (seqno, info) => out.update.push([seqno, info.flags]));
    const rows = await fetchAll('1:*', {
        bodies: ['HEADER.FIELDS (FROM SUBJECT)', 'TEXT'], struct: true, envelope: true, size: true, markSeen: false
    });
    out.rows = rows.map(row => [row.attributes.uid, row.attributes.envelope.subject, row.attributes.struct[0].type,
        Imap.parseHeader(row.bodies['HEADER.FIELDS (FROM SUBJECT)']).subject[0], row.bodies.TEXT.length]);
    out.found = await call('search', ['UNSEEN', ['HEADER', 'SUBJECT', 'Letter 2']]);
    out.either = await call('search', [['OR', ['SUBJECT', 'Letter 1'], ['BODY', 'letter 3']]]);
    out.since = (await call('search', [['SINCE', 'May 20, 2010']])).length;
    if (imap.serverSupports('SORT')) out.sorted = await call('sort', ['-DATE'], ['ALL']);
    if (imap.serverSupports('THREAD=REFERENCES')) out.threads = (await call('thread', 'REFERENCES', ['ALL'])).length;
    await call('addFlags', [1, 2], ['\\Seen']);
    await call('delFlags', 2, '\\Seen');
    await call('setFlags', 3, ['\\Flagged']);
    await call('addKeywords', 1, ['Wichtig']);
    await call('addBox', 'Projekte/Köln & Bonn');
    await call('copy', 1, 'Projekte/Köln & Bonn');
    await call('move', [2, 4], 'Projekte/Köln & Bonn');
    await call('addFlags', 5, '\\Deleted');
    await call('expunge', 5);
    out.left = await call('search', ['ALL']);
    // without a date: it asks for a function of Node that newer ones lack
    out.uid = await call('append', 'Subject: draft\r\n\r\nGrüße\r\n', { mailbox: 'Drafts', flags: ['Draft', 'Seen'] });
    const status = await call('status', 'Projekte/Köln & Bonn');
    out.status = [status.messages.total, status.messages.unseen];
    await call('renameBox', 'Projekte/Köln & Bonn', 'Archive/Köln');
    await call('delBox', 'Archive/Köln');
    // it idles by itself; what it appends from a second connection is told to it
    const heard = new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error('nothing was heard while idling')), 10_000);
        imap.on('mail', count => { clearTimeout(timer); resolve(count); });
    });
    const other = new Imap({ user, password, host: '127.0.0.1', port: Number(port), tls: secure === 'tls',
        tlsOptions: { rejectUnauthorized: false } });
    other.once('ready', () => other.append('Subject: pushed\r\nMessage-ID: <pushed@clients.example>\r\n\r\nx\r\n',
        { mailbox: 'INBOX' }, () => other.end()));
    other.connect();
    out.heard = await heard;
    await call('closeBox', false);
}

const fail = error => { console.error(error); process.exit(1); };
imap.once('error', fail);
imap.once('ready', () => day().then(() => imap.end(), fail));
imap.once('close', () => { console.log(JSON.stringify(out)); process.exit(0); });
imap.connect();
