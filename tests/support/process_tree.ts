/** The processes below a process, for tests that freeze or kill a whole server or daemon. */

export type ProcessSignal = "SIGSTOP" | "SIGCONT" | "SIGKILL" | "SIGTERM";

/** A process and all its descendants, parents first. Linux and macOS. */
export async function treeOf(root: number): Promise<number[]> {
  const { stdout } = await new Deno.Command("ps", { args: ["-A", "-o", "pid=,ppid="] }).output();
  const children = new Map<number, number[]>();
  for (const line of new TextDecoder().decode(stdout).trim().split("\n")) {
    const [pid, parent] = line.trim().split(/\s+/).map(Number);
    if (pid === undefined || parent === undefined) continue;
    children.set(parent, [...children.get(parent) ?? [], pid]);
  }
  const tree: number[] = [];
  const queue = [root];
  for (let pid = queue.shift(); pid !== undefined; pid = queue.shift()) {
    tree.push(pid);
    queue.push(...children.get(pid) ?? []);
  }
  return tree;
}

/** Sends a signal to each process; those that are gone do not count. */
export function signalEach(pids: readonly number[], signal: ProcessSignal): void {
  for (const pid of pids) {
    try {
      Deno.kill(pid, signal);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

/**
 * Kills all descendants of a process, and itself with `withRoot`. Everything is frozen first, again and again
 * until nothing new turns up, so that nobody forks while we look.
 */
export async function killTree(root: number, withRoot: boolean): Promise<void> {
  const tree = new Set(await frozen(root));
  for (let again = await frozen(root); again.some((pid) => !tree.has(pid)); again = await frozen(root)) {
    for (const pid of again) tree.add(pid);
  }
  signalEach([...tree].filter((pid) => withRoot || pid !== root), "SIGKILL");
  if (!withRoot) signalEach([root], "SIGCONT");
}

async function frozen(root: number): Promise<number[]> {
  const tree = await treeOf(root);
  signalEach(tree, "SIGSTOP");
  return tree;
}
