import { assertEquals } from "@std/assert";
import { Failure } from "../../src/domain/failure.ts";
import { unreadable } from "../../src/intake/source_faults.ts";
import { sourceFailure, sourceFault } from "../../src/system/fault.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { tempFolder } from "../support/temp.ts";

const signal = new AbortController().signal;

function osError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

Deno.test("sourceFailure() says what keeps a source from being read", () => {
  const table = [
    ["ENOENT", "No such file or directory", "source_gone", "it no longer exists"],
    ["EACCES", "Permission denied", "source_unreadable", "permission denied"],
    ["EIO", "Input/output error", "source_unreadable", "the disk reports an error"],
    ["EPROTO", "Protocol error", "source_unreadable", "it cannot be opened or read (Protocol error)"],
  ] as const;
  for (const [code, told, expected, reason] of table) {
    const failure = sourceFailure(osError(code, told), "a\nb.fits");
    assertEquals([failure.code, failure.message], [expected, `Cannot read "a\\nb.fits": ${reason}`]);
  }
});

Deno.test("sourceFailure() leaves a Failure as it is, and calls an error of our own internal", () => {
  const stopped = new Failure("stopped", "It was stopped");
  assertEquals(sourceFailure(stopped, "a.fits"), stopped);
  assertEquals(sourceFailure(new TypeError("x is not a function"), "a.fits").code, "internal");
});

Deno.test("sourceFault() looks at the source itself", async () => {
  await using folder = await tempFolder();
  const path = await folder.write("a.fits", "sky");
  const codeOf = async (source: string) => (await sourceFault(source, true, createSystem(), signal))?.code ?? null;
  assertEquals(await codeOf(path), null);
  assertEquals(await codeOf(folder.at("missing")), "source_gone");
  assertEquals(await codeOf(folder.path), "source_changed");
});

Deno.test("unreadable() looks again for a file that its folder lists, but that cannot be found", () => {
  const { code, next } = unreadable("a.fits", osError("ENOENT", "No such file or directory"));
  assertEquals([code, next], ["source_unreadable", "later"]);
});
