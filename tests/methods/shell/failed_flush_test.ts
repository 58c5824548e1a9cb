/**
 * A disk at the far end that reports an error when a file is flushed: Linux tells of it once, and the next flush succeeds (fsync(2)).
 * So what could not be flushed is never resumed and published as it is.
 */
import { assert, assertEquals } from "@std/assert";
import type { PutOutcome, Session, Upload } from "../../../src/methods/method.ts";
import { sftp } from "../../../src/methods/sftp/sftp.ts";
import { PUBLISH_PERL } from "../../../src/methods/shell/publish_perl.ts";
import { FLUSH_PERL } from "../../../src/methods/shell/shell_flush.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import { tar } from "../../../src/methods/tar/tar.ts";
import { rsync } from "../../../src/methods/rsync/rsync.ts";
import { digestOf, noise, publication, STAGING, upload } from "../../conformance/rig.ts";
import { rejectsWith } from "../../conformance/expectations.ts";
import { needs } from "../../support/needs.ts";
import type { SshdOptions } from "../../support/sshd.ts";
import { type TempFolder, tempFolder } from "../../support/temp.ts";
import { type Bench, openBench } from "../bench.ts";

const signal = new AbortController().signal;
const BYTES = 9_000_000;

/**
 * What the far end flushes with; the next flush of a file fails while `flag` is there, and takes it away. A flush of the file system as a whole succeeds,
 * as where somebody else was told of the error.
 */
async function failingOnce(folder: TempFolder, how: "perl" | "sh"): Promise<SshdOptions & { flag: string }> {
  const flag = folder.at("fail");
  if (how === "perl") {
    await folder.write(
      "FailOnce.pm",
      `package FailOnce; use IO::Handle; no warnings;
my ($load, $sync) = (\\&XSLoader::load, \\&IO::Handle::sync);
*XSLoader::load = sub { return if $_[0] eq 'IO'; goto &$load };
*IO::Handle::sync = sub { if (-f $_[0] && unlink '${flag}') { $! = 5; return } return $sync->(@_) };
*CORE::GLOBAL::syscall = sub { if (-f "/proc/self/fd/$_[1]" && unlink '${flag}') { $! = 5; return -1 } return CORE::syscall($_[0], @_[1 .. $#_]) };
1;
`,
    );
    return { flag, instead: { perl: `#!/bin/sh\nexec /usr/bin/perl -I${folder.path} -MFailOnce "$@"\n` } };
  }
  const text = `#!/bin/sh
[ "$1" = -f ] && exit 0
[ -e '${flag}' ] && [ "$*" != . ] && { rm '${flag}'; echo "sync: error syncing: Input/output error" >&2; exit 1; }
exec /bin/sync "$@"
`;
  return { flag, without: ["perl"], instead: { sync: text } };
}

for (const [name, method] of Object.entries({ sftp, tar, rsync })) {
  for (const how of ["perl", "sh"] as const) {
    Deno.test(
      `${name}: a file that publish() cannot flush by ${how} is removed, and sent again as a whole`,
      needs("sshd", "rsync"),
      async () => {
        await using folder = await tempFolder();
        const { flag, ...options } = await failingOnce(folder, how);
        await using it = await openBench(method, options);
        const session = await it.connect();
        const content = noise(BYTES, 3);
        const file = await it.source("a.fits", content);
        const first = upload(file, 1);
        assertEquals(await putAll(session, [first]), { outcomes: [true], from: 0 });
        await Deno.writeTextFile(flag, "");
        const [refused] = await published(session, first);
        assert(!refused && !await exists(flag), "the flush has not failed");
        assertEquals(await session.survey([first.staged], signal), [null]);
        const again = { ...upload(file, 1, "a2"), leftover: first.staged };
        assertEquals(await putAll(await it.connect(), [again]), { outcomes: [true], from: 0 });
        assertEquals(await published(session, again), [true]);
        assertEquals(await session.digest(["a.fits"], signal), [await digestOf(content)]);
      },
    );
  }
}

for (const [where, type] of [["ext4", "ef53"], ["an overlay", "794c7630"], ["FUSE", "65735546"]] as const) {
  for (const how of ["perl", "sh"] as const) {
    Deno.test(
      `of many files on ${where}, the one of which something was lost is asked for by ${how}, although the file system says that all is well`,
      needs("sshd", "rsync"),
      async () => {
        await using folder = await tempFolder();
        const { flag, instead, ...options } = await failingOnce(folder, how);
        const stat = `#!/bin/sh\n[ "$1" = -f ] && { echo ${type}; exit; }\nexec /usr/bin/stat "$@"\n`;
        await using it = await openBench(tar, { ...options, instead: { ...instead, stat } });
        const session = await it.connect();
        const files = await Promise.all(Array.from({ length: 30 }, (_, index) => it.source(`${index}.fits`, noise(2000, index))));
        const uploads = files.map((file, index) => upload(file, index));
        assertEquals((await putAll(session, uploads)).outcomes.filter((put) => !put), []);
        await Deno.writeTextFile(flag, "");
        const items = uploads.map(({ staged }, index) => publication(staged, `${index}.fits`));
        const outcomes = await session.publish(items, signal).catch(() => []);
        assert(!await exists(flag), "the flush has not failed");
        // Without perl, one program flushes them all.
        assertEquals(outcomes.filter(({ published }) => !published).length, how === "perl" ? 1 : 0);
        const isThere = (found: unknown) => found !== null;
        const named = (await session.survey(items.map(({ target }) => target), signal)).map(isThere);
        assertEquals(named, how === "perl" ? outcomes.map(({ published }) => published) : items.map(() => false));
        const left = (await session.survey(uploads.map(({ staged }) => staged), signal)).filter(isThere);
        assertEquals(left, []);
      },
    );
  }
}

Deno.test("macOS: an error of F_FULLFSYNC is the answer; fsync is asked only where there is no such thing", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  for (const [error, said] of [["EIO", "fail staged file: "], ["ENOTTY", "ok"], ["ENOTSUP", "ok"]] as const) {
    await using folder = await tempFolder();
    await folder.write(
      "AsMac.pm",
      `package AsMac; use Errno; BEGIN { $^O = 'darwin' }
*CORE::GLOBAL::fcntl = sub { if (-f $_[0]) { $! = Errno::${error}(); return } return '0 but true' };
1;
`,
    );
    const perl = async (program: string, args: string[], input: string) => {
      await folder.write(".staging/1", "1");
      const command = { program: "perl", args: [`-I${folder.path}`, "-MAsMac", "-e", program, ...args], cwd: folder.path };
      return await createSystem().run(command, signal, input);
    };
    const found = await perl(FLUSH_PERL, [], ".staging/1\0");
    assertEquals(found.code === 0, said === "ok", error);
    const published = await perl(PUBLISH_PERL, ["", "24", "", ".staging/1", "m.fits", "version", "m", ".fits", "", ""], "");
    assertEquals([published.stdout.startsWith(said), await exists(folder.at(".staging/1"))], [true, false], error);
    assertEquals(await exists(folder.at("m.fits")), said === "ok");
  }
});

for (const how of ["perl", "sh"] as const) {
  Deno.test(`sftp: a part of a growing file that cannot be flushed by ${how} is removed`, needs("sshd", "rsync"), async () => {
    await using folder = await tempFolder();
    const { flag, ...options } = await failingOnce(folder, how);
    await using it: Bench = await openBench(sftp, options);
    const { parts, survey } = await it.connect();
    const part = `${STAGING}/ahead-1/part`;
    await parts!.begin(part, null, signal);
    await Deno.writeTextFile(flag, "");
    await rejectsWith(() => parts!.flush(part, signal), ["device_missing"]);
    assertEquals(await survey([part], signal), [null]);
  });
}

async function published(session: Session, { staged }: Upload): Promise<boolean[]> {
  try {
    return (await session.publish([publication(staged, "a.fits")], signal)).map(({ published }) => published);
  } catch {
    return [false];
  }
}

/** What became of them, and how many bytes were there before the first ones were sent. */
async function putAll(session: Session, uploads: readonly Upload[]): Promise<{ outcomes: boolean[]; from: number }> {
  let from = Infinity;
  const outcomes: PutOutcome[] = await session.put(uploads, (_index, bytes) => from = Math.min(from, bytes), signal);
  return { outcomes: outcomes.map(({ put }) => put), from: from < BYTES ? 0 : from };
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
