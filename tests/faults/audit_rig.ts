/** A daemon that audits, for tests: files that are delivered, and what can happen to them at their destination. */
import { mirrorRig } from "./mirror_rig.ts";

/** Audits all files every second; `changes` are keys of the configuration. */
export async function auditRig(changes: Record<string, unknown> = {}) {
  const it = await mirrorRig({
    delete_destination_files: false,
    audit: { every: "1s", sample: "100%" },
    web: { listen: "127.0.0.1:0" },
    ...changes,
  });
  const there = (name: string) => it.folder.at("nas", name);
  return {
    ...it,
    there,
    /** Delivers images of these names. */
    async deliver(...names: string[]) {
      await it.write(names);
      await it.program.until((rows) =>
        names.every((name) => rows.some(({ path, state }) => path.endsWith(name) && state === "delivered"))
      );
    },
    flip: (name: string) => flipBit(there(name)),
    [Symbol.asyncDispose]: () => it[Symbol.asyncDispose](),
  };
}

/** One bit rots: the times of the file stay. */
export async function flipBit(path: string): Promise<void> {
  const { atime, mtime } = await Deno.stat(path);
  const bytes = await Deno.readFile(path);
  bytes[bytes.length >> 1]! ^= 1;
  await Deno.writeFile(path, bytes);
  await Deno.utime(path, atime ?? new Date(), mtime ?? new Date());
}
