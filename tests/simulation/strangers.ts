/**
 * Another account on the camera's computer, and on a destination: it has files of its own, and puts links where the program works.
 */
import type { Inode, Tree } from "./disk.ts";

/** The account, and where its files are. */
const ANN = 1000;
const HOME = "/home/ann";

/** Gives the account a home with files in it. */
export function plantHome(tree: Tree): void {
  for (const folder of ["/home", HOME, `${HOME}/Documents`, `${HOME}/M31`]) tree.mkdir(folder);
  write(tree, `${HOME}/Documents/thesis`, 4000);
}

/** Whether it is one of theirs: nothing of the program may change it. */
export function isTheirs({ kind, uid }: Inode): boolean {
  return kind === "file" && uid === ANN;
}

/** In place of our temporary folder at a destination there is a link to their home; gives what puts the folder back. */
export function linkStaging(tree: Tree, base: string): () => void {
  return tried(() => {
    const name = tree.names(base).find((each) => each.startsWith(".image-transfer-") && !each.endsWith("-trash"));
    if (name === undefined || tree.need(`${base}/${name}`, false, "stat").kind !== "folder") return nothing;
    const [ours, moved] = [`${base}/${name}`, `${base}/.image-transfer-moved-trash`];
    tree.rename(ours, moved);
    tree.symlink(HOME, ours);
    flush(tree, base);
    return () => {
      if (tree.look(moved, false) === undefined || tree.look(ours, false)?.kind !== "symlink") return;
      tree.unlink(ours);
      tree.rename(moved, ours);
      flush(tree, base);
    };
  });
}

/**
 * A file of theirs at this path, if nothing is there yet and it is the name of an image, else in our temporary folder; gives its path, or null.
 */
export function plantFile(tree: Tree, path: string, base: string): string | null {
  let planted: string | null = null;
  tried(() => {
    const isName = path.startsWith(`${base}/`) && !path.includes("/.") && tree.look(path, false) === undefined;
    const folder = tree.names(base).find((name) => name.startsWith(".image-transfer-") && !name.endsWith("-trash"));
    const at = isName ? path : folder === undefined ? null : `${base}/${folder}/notes.txt`;
    if (at === null || tree.look(at, false) !== undefined) return;
    write(tree, at, 5760);
    flush(tree, at);
    flush(tree, at.slice(0, at.lastIndexOf("/")));
    planted = at;
  });
  return planted;
}

/** A folder of the camera is exchanged for a link to theirs, in which files have the same names and lengths; gives what undoes it. */
export function exchangeFolder(tree: Tree, folder: string): () => void {
  return tried(() => {
    if (tree.look(folder, false)?.kind !== "folder") return nothing;
    for (const name of tree.names(folder)) {
      const { kind, data } = tree.need(`${folder}/${name}`, false, "stat");
      if (kind === "file" && tree.look(`${HOME}/M31/${name}`, false) === undefined) {
        write(tree, `${HOME}/M31/${name}`, data.length);
      }
    }
    const link = "/cam/exchanged";
    tree.symlink(`${HOME}/M31`, link);
    tree.exchange(folder, link);
    flush(tree, "/cam");
    return () => {
      if (tree.look(folder, false)?.kind !== "symlink") return;
      tree.exchange(folder, link);
      tree.unlink(link);
      flush(tree, "/cam");
    };
  });
}

/** A power cut neither brings back what they have undone, nor undoes half of what they did. */
function flush(tree: Tree, folder: string): void {
  tree.sync(tree.need(folder, true, "fsync"));
}

function write(tree: Tree, path: string, bytes: number): void {
  tree.uid = ANN;
  const inode = tree.open(path, { write: true, createNew: true });
  tree.write(inode, 0, new Uint8Array(bytes).fill(65));
  tree.uid = 0;
}

/** Where a disk is at fault, or changed meanwhile, it is not done, and not undone. */
function tried(act: () => (() => void) | void): () => void {
  try {
    const undo = act() ?? nothing;
    return () => void tried(undo);
  } catch {
    return nothing;
  }
}

const nothing = () => {};
