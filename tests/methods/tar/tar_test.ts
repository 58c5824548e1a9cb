/**
 * The method tar on real servers that make it hard: login shells that print, read or are no POSIX shell, one channel only, no
 * tar, broken tars, parts that something else still writes into.
 */
import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { Failure } from "../../../src/domain/failure.ts";
import type { Session } from "../../../src/methods/method.ts";
import { tar } from "../../../src/methods/tar/tar.ts";
import { digestOf, ignoreBytes, noise, publication, STAGING, upload } from "../../conformance/rig.ts";
import { type COMPONENTS, needs } from "../../support/needs.ts";
import type { SshdOptions } from "../../support/sshd.ts";
import { type Bench, openBench } from "../bench.ts";

const signal = new AbortController().signal;

/** Puts and publishes a small and a large file, and looks at what is there. */
async function deliver(it: Bench, session: Session, attempt = "a1"): Promise<void> {
  const contents = [noise(1000, 1), noise(3 << 20, 2)];
  const files = await Promise.all(contents.map((content, index) => it.source(`${attempt}-${index}.fits`, content)));
  const uploads = files.map((file, index) => upload(file, index + 1, attempt));
  const digests = await Promise.all(contents.map(digestOf));
  assertEquals(
    await session.put(uploads, ignoreBytes, signal),
    digests.map((sent) => ({ put: true as const, sent, there: sent })),
  );
  const outcomes = await session.publish(uploads.map(({ staged }, index) => publication(staged, `${attempt}-${index}`)), signal);
  assertEquals(outcomes, [{ published: true }, { published: true }]);
  assertEquals(await session.digest([0, 1].map((index) => `${attempt}-${index}`), signal), digests);
}

function withServer(
  name: string,
  options: SshdOptions,
  run: (it: Bench) => Promise<void>,
  others: (keyof typeof COMPONENTS)[] = [],
) {
  Deno.test(`tar: ${name}`, needs("sshd", ...others), async () => {
    await using it = await openBench(tar, options);
    await run(it);
  });
}

/** As if a start-up file of the login shell held this line: it is run in front of every command. */
const startup = (line: string): SshdOptions => ({ config: [`ForceCommand ${line}; eval "$SSH_ORIGINAL_COMMAND"`] });

withServer("a login shell that prints a lot is no hindrance", startup("seq 30000; seq 30000 >&2"), async (it) => {
  const session = await it.connect();
  await deliver(it, session);
  await deliver(it, session, "a2");
});

for (const shell of ["zsh", "fish"] as const) {
  const options = { config: [`ForceCommand exec ${shell} -c "$SSH_ORIGINAL_COMMAND"`] };
  withServer(`${shell} may be the login shell`, options, async (it) => await deliver(it, await it.connect()), [shell]);
}

withServer(
  "a start-up file that puts zsh in the place of sh leaves no usable shell",
  { config: ["ForceCommand exec zsh"] },
  async (it) => {
    const failure = await assertRejects(() => it.connect(), Failure);
    assertEquals([failure.code, failure.next], ["tool_missing", "hold"]);
    assertMatch(failure.message, /no usable shell \(another shell than sh answers/);
  },
  ["zsh"],
);

for (const [what, reads] of [["a line of its", "read line"], ["all its", "cat >/dev/null"]]) {
  // Only where a stream begins: a shell that gets no script is noticed at the connection.
  const options = startup(`case "$SSH_ORIGINAL_COMMAND" in *tar*) ${reads} ;; esac`);
  withServer(`a start-up file that reads ${what} input is found out, and nothing is written elsewhere`, options, async (it) => {
    const session = await it.connect();
    const file = await it.source("a.fits", noise(3 << 20));
    const failure = await assertRejects(() => session.put([upload(file, 1)], ignoreBytes, signal), Failure);
    assertEquals(failure.code, "tool_missing");
    assertMatch(failure.message, /start-up file/);
    await assertRejects(() => Deno.stat(`${Deno.env.get("HOME")}/1`), Deno.errors.NotFound);
  });
}

withServer("where the server allows one channel only, a batch costs one login", { maxSessions: 1 }, async (it) => {
  const session = await it.connect();
  await deliver(it, session);
  const before = await it.server.logins();
  for (const attempt of ["a2", "a3", "a4"]) await deliver(it, session, attempt);
  const logins = await it.server.logins() - before;
  // What is published starts a stream ahead; questions share the shell that logged in first.
  assert(logins <= 3, `${logins} logins for three batches`);
});

withServer("where the server allows one channel only, the disk's own words count", {
  maxSessions: 1,
  instead: { tar: `#!/bin/sh\n${brokenTar("echo 'tar: 1: Cannot write: No space left on device' >&2; exit 2")}` },
}, async (it) => {
  const session = await it.connect();
  const file = await it.source("a.fits", noise(1000));
  const failure = await assertRejects(() => session.put([upload(file, 1)], ignoreBytes, signal), Failure);
  assertEquals(failure.code, "disk_full");
});

withServer("no tar there is said at the connection, with what to do", { without: ["tar"] }, async (it) => {
  const failure = await assertRejects(() => it.connect(), Failure);
  assertEquals([failure.code, failure.next], ["tool_missing", "hold"]);
  assertStringIncludes(failure.hint, "transfer_method to sftp or auto");
});

withServer("a tar that does nothing is found out at the connection", {
  instead: { tar: "#!/bin/sh\n[ \"$1\" = --version ] && exec /bin/tar --version\necho 'Segmentation fault'\nexit 1\n" },
}, async (it) => {
  const failure = await assertRejects(() => it.connect(), Failure);
  assertEquals(failure.code, "tool_missing");
});

/** A tar that passes the look at the connection, and does this where it is given files. */
function brokenTar(does: string): string {
  return `case "$1" in --version|*t*) exec /bin/tar "$@";; esac\ncase "$PWD" in */a[0-9]*) ${does};; *) exec /bin/tar "$@";; esac\n`;
}

for (
  const [what, does, code] of [
    ["says nothing and fails", "exit 1", "interrupted"],
    ["prints rubbish and fails", "yes rubbish | head -c 5000000; exit 3", "interrupted"],
    ["ends well before it has read all", "exit 0", "interrupted"],
    ["cannot be started", "exit 126", "tool_missing"],
  ] as const
) {
  withServer(
    `a tar that ${what} costs no file its attempt`,
    { instead: { tar: `#!/bin/sh\n${brokenTar(does)}` } },
    async (it) => {
      const session = await it.connect();
      const file = await it.source("a.fits", noise(6 << 20));
      const failure = await assertRejects(() => session.put([upload(file, 1)], ignoreBytes, signal), Failure);
      assertEquals(failure.code, code);
    },
  );
}

withServer(
  "a tar that hangs is left when the signal says so",
  { instead: { tar: `#!/bin/sh\n${brokenTar("sleep 600")}` } },
  async (it) => {
    const session = await it.connect();
    const file = await it.source("a.fits", noise(8 << 20));
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(new Failure("timeout", "no progress")), 1500);
    const began = performance.now();
    const failure = await assertRejects(() => session.put([upload(file, 1)], ignoreBytes, stop.signal), Failure);
    clearTimeout(timer);
    assertEquals(failure.code, "timeout");
    assert(performance.now() - began < 60_000);
  },
);

for (const name of ["with spaces", 'it\'s "quoted" `here` $HOME', "-leading", "~tilde", "ends with ", "back\\slash", "ä%n"]) {
  withServer(`a base path like ${name}`, {}, async (it) => {
    await deliver(it, await it.connect({ basePath: it.folder.at("base", name) }));
  });
}

withServer("what still writes into the part of an abandoned attempt does not write into the published file", {}, async (it) => {
  const session = await it.connect();
  const content = noise(3 << 20, 7);
  const file = await it.source("big.fits", content);
  for (const [attempt, part] of [["a1", content.subarray(0, 1 << 20)], ["a3", noise(1 << 20, 8)]] as const) {
    // Its tar still has the file open.
    const abandoned = await it.folder.write(`base/${STAGING}/${attempt}/1`, Uint8Array.from(part));
    using late = await Deno.open(abandoned, { write: true });
    const again = upload(file, 1, `${attempt}x`);
    await session.put([{ ...again, leftover: `${STAGING}/${attempt}/1` }], ignoreBytes, signal);
    assertEquals(await session.publish([publication(again.staged, attempt)], signal), [{ published: true }]);
    await late.seek(1 << 20, Deno.SeekMode.Start);
    await late.write(new Uint8Array(32768));
    assertEquals(await session.digest([attempt], signal), [await digestOf(content)]);
  }
});

withServer("a small batch is hashed behind its stream; what is wrong there is not taken for what was sent", {
  instead: {
    tar:
      '#!/bin/sh\n/bin/tar "$@" || exit\ncase "$PWD" in *.image-transfer*) printf x | dd of=2 conv=notrunc 2>/dev/null ;; esac\n',
  },
}, async (it) => {
  const session = await it.connect();
  const contents = [noise(1000, 1), noise(3 << 20, 2)];
  const files = await Promise.all(contents.map((content, index) => it.source(`${index}`, content)));
  const uploads = files.map((file, index) => upload(file, index + 1));
  const [first, second] = await Promise.all(contents.map(digestOf));
  assertEquals(await session.put(uploads, ignoreBytes, signal), [
    { put: true, sent: first!, there: first! },
    { put: true, sent: second! },
  ]);
  const [, there] = await session.digest(uploads.map(({ staged }) => staged), signal);
  assertEquals([there?.bytes, there?.sha256 === second!.sha256], [second!.bytes, false]);
});

for (
  const [keeps, preservePermissions, instead] of [
    [
      "modes and times",
      true,
      {
        tar: `#!/bin/sh
/bin/tar "$@" || exit
case "$PWD" in */a[0-9]*) ;; *) exit 0 ;; esac
echo "tar: 1: Cannot utime: Operation not permitted" >&2
echo "tar: 1: Cannot change mode to rw-r--r--: Operation not permitted" >&2
echo "tar: Exiting with failure status due to previous errors" >&2
exit 2
`,
      },
    ],
    ["a mode that nobody asked for", false, { chmod: "#!/bin/sh\necho 'chmod: Operation not permitted' >&2\nexit 1\n" }],
  ] as const
) {
  withServer(`a file system that does not keep ${keeps} takes files all the same`, { instead }, async (it) => {
    const session = await it.connect({ preservePermissions });
    const content = noise(1000, 1);
    const file = await it.source("a.fits", content);
    const [outcome] = await session.put([upload(file, 1)], ignoreBytes, signal);
    assertEquals(outcome?.put, true);
    assertEquals(await session.digest([upload(file, 1).staged], signal), [await digestOf(content)]);
  });
}

/** A `sync` that cannot flush a file, and says this. */
const refusingSync = (reason: string): SshdOptions => ({
  instead: {
    sync: `#!/bin/sh\ncase "$1" in ./*) echo "sync: error syncing $1: ${reason}" >&2; exit 1 ;; esac\nexec /bin/sync "$@"\n`,
  },
});

withServer("a small batch that the disk there does not take is not put", refusingSync("Input/output error"), async (it) => {
  const session = await it.connect();
  const file = await it.source("1", noise(1000, 1));
  await assertRejects(() => session.put([upload(file, 1)], ignoreBytes, signal), Failure, "Input/output error");
});

withServer("a file system that cannot flush takes files all the same", refusingSync("Invalid argument"), async (it) => {
  await deliver(it, await it.connect());
});

withServer("a part for whose copy there is no room is sent again from its beginning", {
  instead: { cp: "#!/bin/sh\necho 'cp: error writing: No space left on device' >&2\nexit 1\n" },
}, async (it) => {
  const session = await it.connect();
  const content = noise(3 << 20, 7);
  const file = await it.source("big.fits", content);
  await it.folder.write(`base/${STAGING}/a1/1`, Uint8Array.from(content.subarray(0, 1 << 20)));
  const again = upload(file, 1, "a2");
  const sent = await digestOf(content);
  assertEquals(await session.put([{ ...again, leftover: `${STAGING}/a1/1` }], ignoreBytes, signal), [{
    put: true,
    sent,
    there: sent,
  }]);
  assertEquals(await session.digest([again.staged], signal), [sent]);
});

withServer(
  "the look at the targets of a batch makes its staging folder; one that is needed late is made again",
  {
    instead: { mkdir: `#!/bin/sh\necho "$*" >> ../made\nexec /bin/mkdir "$@"\n` },
  },
  async (it) => {
    const session = await it.connect();
    const made = async () => (await Deno.readTextFile(it.folder.at("made"))).split("\n").filter((line) => line.includes("/a"));
    const file = await it.source("a.fits", noise(1000));
    await it.folder.write("base/== looked ==", Uint8Array.of(1, 2, 3));
    const targets = ["== looked ==", "nothing", "new\nline"];
    const expected = [{ bytes: 3, kind: "file" as const }, null, null];
    assertEquals(await session.survey(targets, signal, `${STAGING}/a1`), expected);
    await session.put([upload(file, 1)], ignoreBytes, signal);
    assertEquals((await made()).length, 1);
    assertEquals(await session.survey(targets, signal, `${STAGING}/a2`), expected);
    await new Promise((resolve) => setTimeout(resolve, 3500));
    await Deno.remove(it.folder.at("base", STAGING), { recursive: true });
    assertEquals((await session.put([upload(file, 1, "a2")], ignoreBytes, signal))[0]?.put, true);
    assertEquals((await made()).length, 3);
  },
);

withServer("bandwidth_limit holds the average, also of many small files", {}, async (it) => {
  const session = await it.connect({ bandwidthLimit: 2_000_000 });
  const files = await Promise.all(Array.from({ length: 30 }, (_, index) => it.source(`${index}`, noise(100_000, index + 1))));
  const began = performance.now();
  const outcomes = await session.put(files.map((file, index) => upload(file, index + 1)), ignoreBytes, signal);
  assert(outcomes.every(({ put }) => put));
  const seconds = (performance.now() - began) / 1000;
  assert(seconds > 1.3 && seconds < 60, `${seconds} s for 3 MB at 2 MB/s`);
});

withServer("compression is the connection's, and progress is told as a large file goes", {}, async (it) => {
  const session = await it.connect({ bandwidthLimit: 8_000_000 }, {}, { compression: true });
  const file = await it.source("zeros.fits", new Uint8Array(8_000_000));
  const told: number[] = [];
  assertEquals((await session.put([upload(file, 1)], (_, bytes) => told.push(bytes), signal))[0]?.put, true);
  assert(told.length > 4 && told.every((bytes, index) => bytes >= (told[index - 1] ?? 0)), told.join(" "));
  assertEquals(told.at(-1), 8_000_000);
});
