import { assert, assertEquals } from "@std/assert";
import { each } from "./rig.ts";
import { type Dice, dice } from "../support/seeded.ts";
import { startSshd } from "../support/sshd.ts";
import { filesBelow, mirrorRig } from "./mirror_rig.ts";

/**
 * The steps of lsyncd's own test: files and folders are made, written, renamed and removed at random. Names are one letter behind
 * `f` or `d`, so that they come again soon.
 */
function churn(root: string, { pick, int }: Dice): void {
  const [files, folders] = [filesBelow(root), foldersBelow(root).filter((folder) => folder.length < 12)];
  const name = (kind: "d" | "f") => `${root}/${pick(["", ...folders])}${kind}${pick([..."abcdefghijklmnopqrstuvwxyz"])}`;
  const text = () => `${int(0, 1e9)} `;
  const kind = pick(["make", "make", "write", "folder", "move", "move folder", "remove", "remove"] as const);
  if (kind === "make") Deno.writeTextFileSync(name("f"), text());
  else if (kind === "folder") Deno.mkdirSync(name("d"), { recursive: true });
  else if (kind === "move folder" && folders.length > 0) moveFolder(`${root}/${pick(folders).slice(0, -1)}`, name("d"));
  else if (files.length === 0) return;
  else if (kind === "write") Deno.writeTextFileSync(`${root}/${pick(files)}`, text(), { append: int(0, 1) === 1 });
  else if (kind === "move") Deno.renameSync(`${root}/${pick(files)}`, name("f"));
  else if (kind === "remove") Deno.removeSync(`${root}/${pick(files)}`);
}

function moveFolder(from: string, to: string): void {
  if (`${to}/`.startsWith(`${from}/`) || from.startsWith(`${to}/`)) return;
  // A folder of that name goes, as with `rm -r` before `mv`.
  Deno.mkdirSync(to, { recursive: true });
  Deno.removeSync(to, { recursive: true });
  Deno.renameSync(from, to);
}

function foldersBelow(root: string, below = ""): string[] {
  return [...Deno.readDirSync(`${root}/${below}`)].filter(({ isDirectory }) => isDirectory)
    .flatMap(({ name }) => [`${below}${name}/`, ...foldersBelow(root, `${below}${name}/`)]).sort();
}

each(
  ["local", "tar", "rsync"],
  "a mirror equals its source after 500 random changes, and keeps what it replaces in the trash",
  async (method) => {
    await using server = method === "local" ? null : await startSshd();
    await using it = await mirrorRig({
      transfer_method: method,
      ...(server === null ? {} : { remote_host: server.host }),
      ...{ file_patterns: ["*"], min_file_age_seconds: 0.1, max_delete: 10_000 },
    }, server?.env);
    const thrown = dice(20).of(method);
    const [data, nas] = [it.folder.at("data"), it.folder.at("nas")];
    const contents = (root: string) =>
      filesBelow(root).filter((path) => !path.startsWith(".")).map((path) => [path, textOf(root, path)]);
    const isEqual = () => JSON.stringify(contents(data)) === JSON.stringify(contents(nas));
    await Deno.writeTextFile(`${data}/stays`, "so that something is always left");
    await using daemon = await it.program.start();
    await Deno.writeTextFile(`${data}/fz`, "the first");
    await it.until(() => textOf(nas, "fz") === "the first", "fz is there");
    // A name is removed, and made again before the mirror has followed.
    await Deno.remove(`${data}/fz`);
    await Deno.writeTextFile(`${data}/fz`, "the second");
    for (let step = 0; step < 500; step++) {
      churn(data, thrown);
      if (step % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 60));
    }
    await it.until(isEqual, "source and mirror are equal", 60).catch((error) => {
      assertEquals(contents(nas), contents(data));
      throw error;
    });
    const kept = filesBelow(`${nas}/.image-transfer-trash`).map((path) => textOf(`${nas}/.image-transfer-trash`, path));
    assert(kept.includes("the first"), "the replaced version is in the trash");
    assertEquals(await daemon.stop(), 0);
  },
);

function textOf(root: string, path: string): string | null {
  try {
    return Deno.readTextFileSync(`${root}/${path}`);
  } catch {
    return null;
  }
}
