import { assertEquals, assertThrows } from "@std/assert";
import { bucket, pace } from "../../../src/async/pace.ts";
import { tarHeader, tarStream } from "../../../src/methods/tar/tar_stream.ts";
import { has } from "../../support/needs.ts";
import { tempFolder } from "../../support/temp.ts";

const PROGRAMS: readonly { readonly list: readonly string[]; readonly ignore: boolean }[] = [
  { list: ["tar", "-tvf"], ignore: false },
  { list: ["bsdtar", "-tvf"], ignore: !has("tars") },
  { list: ["busybox", "tar", "-tvf"], ignore: !has("tars") },
];

for (const { list: [program = "", ...args], ignore } of PROGRAMS) {
  Deno.test(`tarHeader() is read by ${program}: name, size up to terabytes, mode`, { ignore }, async () => {
    await using folder = await tempFolder();
    for (const bytes of [0, 1, 8 ** 11 - 1, 8 ** 11, 3_000_000_000_000]) {
      const file = folder.at("stream.tar");
      const header = tarHeader({ name: "1234567890123", bytes, mode: 0o640, mtimeMs: 1_700_000_000_999 });
      await Deno.writeFile(file, header);
      const { stdout } = await new Deno.Command(program, { args: [...args, file], env: { LC_ALL: "C", TZ: "UTC" } }).output();
      const line = new TextDecoder().decode(stdout);
      // A stream that ends here is cut off: only what is said of its header counts.
      assertEquals(/-rw-r-----/.test(line) && /1234567890123/.test(line), true, line);
      assertEquals(new RegExp(`\\s${bytes}\\s`).test(line), true, `${bytes}: ${line}`);
    }
  });
}

Deno.test("tarHeader() refuses a name that is not of safe characters", () => {
  for (const name of ["", "a/b", "a b", "ä", "x".repeat(101)]) {
    assertThrows(() => tarHeader({ name, bytes: 1, mode: 0o600, mtimeMs: 0 }), RangeError);
  }
});

Deno.test("tarStream() stays a stream when a source ends early or cannot be read", async () => {
  await using folder = await tempFolder();
  using file = await Deno.open(folder.at("stream.tar"), { write: true, createNew: true });
  const stream = tarStream(
    async (bytes) => void await file.write(bytes),
    pace(bucket(() => null, { monotonic: () => 0, sleep: () => Promise.resolve() })),
    new AbortController().signal,
  );
  const entry = (name: string, bytes: number) => ({ name, bytes, mode: 0o600, mtimeMs: 0 });
  const source = (...pieces: (string | Error)[]) => ({
    sha256: () => "",
    async *read() {
      for (const piece of pieces) {
        if (piece instanceof Error) throw piece;
        yield new TextEncoder().encode(piece);
      }
    },
  });
  assertEquals((await stream.add(entry("short", 1000), source("abc"), () => {})).bytes, 3);
  const failure = await stream.add(entry("broken", 600), source("abc", new Error("I/O error")), () => {}).catch((error) => error);
  assertEquals(failure.cause.message, "I/O error");
  assertEquals((await stream.add(entry("whole", 5), source("he", "llo"), () => {})).bytes, 5);
  await stream.end();
  const { stdout } = await new Deno.Command("tar", { args: ["-xOf", folder.at("stream.tar"), "whole"] }).output();
  assertEquals(new TextDecoder().decode(stdout), "hello");
});
