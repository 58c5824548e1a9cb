/** A process that exchanges names in a folder without a pause, as an attacker does: renameat2(RENAME_EXCHANGE). */

/** It runs until it is killed; each pair is exchanged twice, so that in the end all are as before. */
const PROGRAM = `
import ctypes, os, signal, sys
os.chdir(sys.argv[1])
pairs = [one.encode() for one in sys.argv[3:]]
pairs = list(zip(pairs[::2], pairs[1::2]))
if sys.argv[2] != "": os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))
libc = ctypes.CDLL(None, use_errno=True)
over = []
signal.signal(signal.SIGTERM, lambda *_: over.append(1))
def exchange(a, b):
    if libc.renameat2(-100, a, -100, b, 2) != 0 and ctypes.get_errno() != 2: raise OSError(ctypes.get_errno(), "renameat2")
for first in (True, False):
    while not over or first:
        for a, b in pairs:
            exchange(a, b); exchange(a, b)
        if first: break
    if first: os.write(1, b"ready")
`;

/** Exchanges these names in the folder until it is disposed of; then they are as before. Resolves when it has begun. */
export async function exchanging(
  folder: string,
  pairs: readonly (readonly [string, string])[],
  uid: number | null = null,
): Promise<AsyncDisposable> {
  const child = new Deno.Command("python3", {
    args: ["-c", PROGRAM, folder, uid === null ? "" : String(uid), ...pairs.flat()],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.getReader();
  const { done } = await reader.read();
  await reader.cancel();
  if (done) throw new Error("The names cannot be exchanged");
  return {
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await child.status;
    },
  };
}
