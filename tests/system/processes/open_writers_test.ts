import { assertEquals } from "@std/assert";
import { createSystem } from "../../../src/system/create_system.ts";
import { hidesProcesses, writersOf } from "../../../src/system/processes/open_writers.ts";
import type { Child } from "../../../src/system/system.ts";
import { needs } from "../../support/needs.ts";
import { tempFolder } from "../../support/temp.ts";

const system = createSystem();
const never = new AbortController().signal;
const LINUX = system.platform === "linux";

/** A Python process that does something with a file and then waits until it is disposed of. */
async function holding(script: string, path: string): Promise<Child> {
  const waiting = `import sys,os,mmap\np = sys.argv[1]\n${script}\nprint('ready', flush=True)\nsys.stdin.read()`;
  const child = await system.spawn({ program: "python3", args: ["-c", waiting, path] }, never);
  for await (const _ of child.stdout) break;
  return child;
}

/** Python's own mapping keeps a duplicate of the descriptor: closes it, as C programs do. */
const CLOSED = "for fd in range(3, 20):\n  try: os.close(fd)\n  except OSError: pass";

async function open(...paths: string[]): Promise<string[] | undefined> {
  return (await system.openForWriting(paths, never))?.values().toArray().sort();
}

Deno.test("openForWriting() tells writers from readers, for many files at once", { ignore: !LINUX }, async () => {
  await using dir = await tempFolder();
  const paths = await Promise.all(["w", "rw", "append", "read", "nobody"].map((name) => dir.write(`${name} *[ü`, "x")));
  await using _holder = await holding(
    "d = os.path.dirname(p) + '/'\nheld = [open(d + m[0] + ' *[ü', m[1]) for m in [('w','w'),('rw','r+'),('append','a'),('read','r')]]",
    paths[0]!,
  );
  assertEquals(await open(...paths, dir.at("missing")), paths.slice(0, 3).sort());
});

Deno.test("openForWriting() finds a writer that has mapped the file and closed it", { ignore: !LINUX }, async () => {
  await using dir = await tempFolder();
  const [shared, copied] = [
    await dir.write("shared\nline.fits", "x".repeat(8192)),
    await dir.write("copied.fits", "x".repeat(8192)),
  ];
  const map = (access: string) => `f = open(p, 'r+b')\nm = mmap.mmap(f.fileno(), 0, access=mmap.${access})\nf.close()`;
  await using _one = await holding(`${map("ACCESS_WRITE")}\n${CLOSED}`, shared);
  await using _other = await holding(`${map("ACCESS_COPY")}\n${CLOSED}`, copied);
  assertEquals(await open(shared, copied), [shared]);
});

Deno.test("openForWriting() finds a writer through a symlinked folder, and after a rename", { ignore: !LINUX }, async () => {
  await using dir = await tempFolder();
  const path = await dir.write("real/a.tmp", "x");
  await system.symlink("real", dir.at("link"));
  await using _holder = await holding("f = open(p, 'a')", path);
  await system.rename(path, dir.at("real", "a.fits"));
  assertEquals(await open(dir.at("link", "a.fits"), path), [dir.at("link", "a.fits")]);
});

Deno.test("openForWriting() finds a writer by another name of the file, open or mapped", { ignore: !LINUX }, async () => {
  await using dir = await tempFolder();
  const names = ["open", "mapped", "moved", "nobody"];
  const first = await Promise.all(names.map((name) => dir.write(`${name}.tmp`, "x".repeat(8192))));
  const finals = names.map((name) => dir.at(`${name}.fits`));
  await Promise.all(finals.map((path, index) => system.link(first[index]!, path)));
  await using _open = await holding("f = open(p, 'a')", first[0]!);
  await using _mapped = await holding(`f = open(p, 'r+b')\nm = mmap.mmap(f.fileno(), 0)\nf.close()\n${CLOSED}`, first[1]!);
  await using _moved = await holding("f = open(p, 'a')\nos.remove(p)", first[2]!);
  assertEquals(await open(...finals), finals.slice(0, 3).sort());
});

Deno.test("openForWriting() finds a writer through another mount", needs("namespaces"), async () => {
  await using dir = await tempFolder();
  const path = await dir.write("data/a.fits", "x");
  await system.makeFolder(dir.at("camera"));
  // A mount namespace of its own, as a container has.
  const script = 'mount --bind "$1" "$2" && exec 3>>"$2/a.fits" && echo ready && read _';
  const args = ["-m", "sh", "-c", script, "sh", dir.at("data"), dir.at("camera")];
  await using holder = await system.spawn({ program: "unshare", args }, never);
  for await (const _ of holder.stdout) break;
  assertEquals(await open(path), [path]);
});

Deno.test("openForWriting() of nothing is nothing", async () => {
  assertEquals(await open(), []);
});

Deno.test(
  "seesEveryWriter() is true for root on Linux, unless these tests run in a container themselves",
  needs("root"),
  async () => {
    const { stdout } = await system.run({ program: "readlink", args: ["/proc/self/ns/pid"] }, never);
    assertEquals(await system.seesEveryWriter(), stdout === "pid:[4026531836]\n");
  },
);

Deno.test(
  "seesEveryWriter() is false in a container, from which the processes of its host are not seen",
  needs("namespaces"),
  async () => {
    const module = new URL("../../../src/system/processes/open_writers.ts", import.meta.url);
    const script = `import { seesEveryWriter } from "${module}"; console.log(await seesEveryWriter());`;
    const args = ["-fp", "--mount-proc", Deno.execPath(), "eval", script];
    const { stdout } = await system.run({ program: "unshare", args }, never);
    assertEquals(stdout, "false\n");
  },
);

Deno.test(
  "seesEveryWriter() asks again after too many files were open to start a program",
  { ignore: Deno.build.os !== "linux" },
  async () => {
    const module = new URL("../../../src/system/processes/open_writers.ts", import.meta.url);
    const script = `import { seesEveryWriter } from "${module}";
      // Deno opens files of its own for its first program.
      await new Deno.Command("true").output();
      const taken = [];
      try { for (;;) taken.push(Deno.openSync("/dev/null")); } catch (error) { console.log(error.message); }
      console.log(await seesEveryWriter().then(() => "answered", (error) => error.message));
      for (const file of taken) file.close();
      console.log(await seesEveryWriter().then(() => "answered", (error) => error.message));`;
    const limited = ["-c", 'ulimit -n 256; exec "$0" eval "$1"', Deno.execPath(), script];
    const { stdout, stderr } = await system.run({ program: "sh", args: limited }, never);
    const said = stdout.trim().split("\n").map((line) => /too many open files/i.test(line) ? "too many" : line);
    assertEquals(said, ["too many", "too many", "answered"], stderr);
  },
);

Deno.test("hidesProcesses(): complaints about others' files, or no first process, mean that some writers are not seen", () => {
  assertEquals(hidesProcesses(""), false);
  assertEquals(hidesProcesses("find: '/proc/812/fd/3': No such file or directory\n"), false);
  assertEquals(hidesProcesses("find: '/proc/1/fd/3': Permission denied\n"), false);
  assertEquals(hidesProcesses("find: '/proc/1/fd': Permission denied\nfind: '/proc/97/fd': Permission denied\n"), true);
  assertEquals(hidesProcesses("find: '/proc/1': No such file or directory\n"), true);
});

Deno.test("writersOf() reads the fields of lsof", () => {
  const output = "p12\nf3\nar\nn/data/read.fits\nf4\naw\nn/data/w.fits\np13\nf5\nau\nn/data/both.fits\nfcwd\na \nn/data\n";
  assertEquals(writersOf(output), ["/data/w.fits", "/data/both.fits"]);
});
