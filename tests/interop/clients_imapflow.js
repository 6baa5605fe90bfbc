// What a webmail or a sync service does with imapflow. Each step that is not as it should be ends the program with 1.
// Arguments: the options of both connections as JSON.

const { ImapFlow } = require("imapflow");
const assert = require("node:assert/strict");

const options = JSON.parse(process.argv[2]);
const message = (subject) => `From: a@flow.example\r\nTo: b@flow.example\r\nSubject: ${subject}\r\nMessage-ID: <${subject}@flow.example>\r\n\r\nText of ${subject}.\r\n`;
const within = (promise, what) =>
  Promise.race([promise, new Promise((_, fail) => setTimeout(() => fail(new Error(`not within 20 s: ${what}`)), 20000).unref())]);

function connection(more = {}) {
  const client = new ImapFlow({ ...options, ...more, logger: false });
  client.on("error", (error) => { console.error(`connection: ${error.message}`); process.exit(1); });
  return client;
}

async function main() {
  const client = connection();
  await client.connect();
  const folders = await client.list({ statusQuery: { messages: true, uidNext: true } });
  for (const use of ["\\Drafts", "\\Sent", "\\Junk", "\\Trash", "\\Archive"]) {
    assert.ok(folders.some((folder) => folder.specialUse === use), `no folder for ${use}: ${JSON.stringify(folders)}`);
  }
  const made = await client.mailboxCreate("Höhle/Tiefer");
  assert.equal(made.created, true);
  assert.ok((await client.list()).some((folder) => folder.path === "Höhle/Tiefer"), "the folder is not listed");
  await client.mailboxRename("Höhle/Tiefer", "Höhle/Höher");

  for (let number = 0; number < 20; number += 1) {
    const added = await client.append("INBOX", message(`flow-${number}`), number % 2 ? ["\\Seen"] : [], new Date(1780000000000));
    assert.ok(added.uid > number && added.uidValidity > 0n, JSON.stringify(added, (_, value) => String(value)));
  }
  const inbox = await client.mailboxOpen("INBOX");
  assert.equal(inbox.exists, 20);
  const modseq = inbox.highestModseq;
  assert.ok(modseq > 0n);

  const uids = [];
  for await (const one of client.fetch("1:*", { uid: true, flags: true, envelope: true, bodyStructure: true, internalDate: true, size: true })) {
    assert.equal(one.envelope.subject, `flow-${one.seq - 1}`);
    assert.equal(one.envelope.from[0].address, "a@flow.example");
    assert.equal(one.bodyStructure.type, "text/plain");
    assert.equal(one.size, message(`flow-${one.seq - 1}`).length);
    assert.equal(one.internalDate.getTime(), 1780000000000);
    uids.push(one.uid);
  }
  assert.equal(uids.length, 20);
  const { content } = await client.download(String(uids[3]), undefined, { uid: true });
  const pieces = [];
  for await (const piece of content) pieces.push(piece);
  assert.equal(Buffer.concat(pieces).toString(), message("flow-3"));
  assert.deepEqual(await client.search({ seen: true, header: { subject: "flow-1" } }, { uid: true }),
    uids.filter((_, at) => [1, 11, 13, 15, 17, 19].includes(at)));
  assert.deepEqual(await client.search({ body: "Text of flow-7" }), [8]);

  await client.messageFlagsAdd({ uid: `${uids[0]}:${uids[4]}` }, ["\\Flagged", "$Label1"]);
  const changed = [];
  for await (const one of client.fetch("1:*", { uid: true, flags: true }, { changedSince: modseq })) changed.push(one.uid);
  assert.deepEqual(changed, uids.slice(0, 5));

  const moved = await client.messageMove({ uid: `${uids[18]}:${uids[19]}` }, "Höhle/Höher");
  assert.equal(moved.uidMap.size, 2);
  const copied = await client.messageCopy("1", "Archive");
  assert.equal(copied.uidMap.size, 1);
  assert.equal((await client.status("Höhle/Höher", { messages: true })).messages, 2);
  assert.equal(client.mailbox.exists, 18);

  await notifications(client, uids);
  await client.mailboxDelete("Höhle/Höher");
  await client.logout();
}

// Another connection's changes are told while this one idles: new, flagged and gone; the gone one by UID with QRESYNC.
async function notifications(client, uids) {
  const idle = connection({ qresync: true });
  await idle.connect();
  await idle.mailboxOpen("INBOX");
  const next = (event) => within(new Promise((done) => idle.once(event, done)), event);
  idle.idle().catch(() => {});
  let told = next("exists");
  await client.append("INBOX", message("flow-new"));
  assert.equal((await told).count, 19);
  idle.idle().catch(() => {});
  told = next("flags");
  await client.messageFlagsAdd({ uid: String(uids[6]) }, ["\\Answered"]);
  assert.ok((await told).flags.has("\\Answered"));
  idle.idle().catch(() => {});
  told = next("expunge");
  await client.messageDelete({ uid: String(uids[7]) });
  assert.equal((await told).uid, uids[7]);
  await idle.logout();
}

main().then(
  () => process.exit(0),
  (error) => { console.error(error.stack, error.response ?? "", error.responseText ?? ""); process.exit(1); },
);
