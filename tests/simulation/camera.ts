/**
 * Programs that write images into the watched folders, each kind as such programs are known to do it. They know nothing of the daemon.
 */
import { fitsFile } from "../support/fits_maker.ts";
import { Hanging, type Inode, type Tree } from "./disk.ts";
import type { Shot } from "./scenario.ts";
import type { World } from "./world.ts";

/** Told when a version of a file is complete (nobody has it open, all bytes are there), and when a name is gone. */
export interface Witness {
  complete(path: string, bytes: Uint8Array): void;
  /** How often the power of the computer was cut: its programs end with it. */
  readonly powerCuts: number;
  gone(path: string): void;
  /** Whatever is there now counts as it is. */
  acceptSources(): void;
}

/** Lets one image be written. A writer whose disk fails gives up and leaves what it has written. */
export async function shoot(shot: Shot, nth: number, tree: Tree, world: World, witness: Witness): Promise<void> {
  const path = `/cam/${shot.camera}/${shot.name}`;
  const first = imageOf(shot, nth + 1);
  const second = imageOf(shot, nth + 100_001);
  const pause = () => world.sleep(shot.pauseMs);
  /** Between two versions of a name: every third time long enough for the first to arrive everywhere. */
  const rest = () => world.sleep(shot.pauseMs * (nth % 3 === 0 ? 100 : 1));
  const { powerCuts } = witness;
  const act = async <T>(deed: () => T): Promise<T> => {
    for (;;) {
      if (witness.powerCuts > powerCuts) throw new Error("the power was cut");
      try {
        tree.uid = 0;
        return deed();
      } catch (error) {
        if (!(error instanceof Hanging)) throw error;
        await new Promise<void>((resolve) => error.device.waiting.push(resolve));
      }
    }
  };
  const write = async (at: string, writing: (inode: Inode) => Promise<void>, createNew = true) => {
    const inode = await act(() => {
      const opened = tree.open(at, { write: true, createNew });
      tree.beginWriting(opened);
      return opened;
    });
    try {
      await writing(inode);
      await act(() => {}); // The power may have been cut since its last write.
    } finally {
      if (witness.powerCuts === powerCuts) tree.endWriting(inode);
    }
    return inode;
  };
  const all = (bytes: Uint8Array) => (inode: Inode) => act(() => tree.write(inode, 0, bytes));
  const inPieces = (bytes: Uint8Array, from = 0) => async (inode: Inode) => {
    for (let at = from; at < bytes.length; at += 1440) {
      await act(() => tree.write(inode, at, bytes.subarray(at, at + 1440)));
      await world.sleep(shot.pauseMs / 10);
    }
  };
  const written = async (bytes: Uint8Array, writing = all(bytes)) => {
    await write(path, writing);
    witness.complete(path, bytes);
  };

  try {
    for (let cut = path.indexOf("/", 5); cut > 0; cut = path.indexOf("/", cut + 1)) {
      const folder = path.slice(0, cut);
      await act(() => tree.look(folder, true) ?? tree.mkdir(folder));
    }
    switch (shot.kind) {
      case "at once":
      case "no format":
        return await written(first);
      case "in pieces":
        return await written(first, inPieces(first));
      case "preallocated":
        return await written(first, async (inode) => {
          await act(() => tree.truncate(inode, first.length));
          await act(() => tree.write(inode, 0, first.subarray(0, 2880)));
          await rest();
          await inPieces(first, 2880)(inode);
        });
      case "header last":
        return await written(first, async (inode) => {
          await act(() => tree.write(inode, 2880, first.subarray(2880)));
          await pause();
          await act(() => tree.write(inode, 0, first.subarray(0, 2880)));
        });
      case "renamed into place":
        await write(`${path}.part`, inPieces(first));
        await act(() => tree.rename(`${path}.part`, path));
        return witness.complete(path, first);
      case "rewritten in place":
        await written(first);
        await rest();
        await write(path, inPieces(second), false);
        return witness.complete(path, second);
      case "rewritten by one long write":
        await written(first);
        await rest();
        await write(path, async (inode) => {
          await act(() => tree.touch(inode));
          for (let at = 0; at < second.length; at += 1440) {
            await act(() => tree.land(inode, at, second.subarray(at, at + 1440)));
            if (at === 1440) await world.sleep(700);
          }
        }, false);
        return witness.complete(path, second);
      case "name used again":
        await written(first);
        await rest();
        await act(() => tree.unlink(path));
        witness.gone(path);
        return await written(second);
      case "appended for long":
        return await written(first, async (inode) => {
          for (let at = 0; at < first.length; at += 960) {
            await act(() => tree.write(inode, at, first.subarray(at, at + 960)));
            await world.sleep(3_600_000 * 960 / first.length);
          }
        });
      case "moved while it is read": {
        await written(first);
        await world.sleep(shot.pauseMs / 5);
        const to = path.replace("image_", "moved_");
        await act(() => tree.rename(path, to));
        witness.gone(path);
        return witness.complete(to, first);
      }
      case "removed soon":
        await written(first);
        await pause();
        await act(() => tree.unlink(path));
        return witness.gone(path);
      default:
        shot.kind satisfies never;
    }
  } catch (error) {
    // All of its length is there, and nobody has it open.
    if (shot.kind === "preallocated") witness.acceptSources();
    world.note(`camera gives up ${path}: ${error instanceof Error ? error.message : error}`);
  }
}

const images = new Map<string, Uint8Array>();

function imageOf({ kind, bytes }: Shot, seed: number): Uint8Array {
  const key = `${kind === "no format"} ${bytes} ${seed}`;
  let image = images.get(key);
  if (image === undefined) {
    image = fitsFile(bytes, seed);
    if (kind === "no format") image = image.slice(100);
    if (images.size > 3_000) images.clear();
    images.set(key, image);
  }
  return image;
}
