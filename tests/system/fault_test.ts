import { assertEquals, assertRejects } from "@std/assert";
import { createSystem } from "../../src/system/create_system.ts";
import { faultOf } from "../../src/system/fault.ts";
import type { Fault, Platform } from "../../src/system/system.ts";
import { needs } from "../support/needs.ts";
import { mountSmallDisk } from "../support/small_disk.ts";
import { tempFolder } from "../support/temp.ts";

const system = createSystem();
const never = new AbortController().signal;

async function faultWhen(doing: () => Promise<unknown>): Promise<Fault> {
  return faultOf(await assertRejects(doing));
}

Deno.test("faultOf() knows the errors of ordinary paths", async () => {
  await using dir = await tempFolder();
  const file = await dir.write("file", "x");
  await dir.write("folder/inside", "x");
  assertEquals(await faultWhen(() => system.readText(dir.at("nothing"))), "not_found");
  assertEquals(await faultWhen(() => system.link(file, file)), "exists");
  assertEquals(await faultWhen(() => system.remove(dir.at("folder"))), "exists");
  assertEquals(await faultWhen(() => system.list(file)), "not_a_folder");
  assertEquals(await faultWhen(() => system.readText(dir.path)), "is_a_folder");
  assertEquals(await faultWhen(() => system.readText(dir.at("n".repeat(300)))), "name_too_long");
  assertEquals(await faultWhen(() => system.readText(dir.at("a\0b"))), "bad_name");
});

Deno.test("faultOf() knows an aborted call", async () => {
  await using dir = await tempFolder();
  const file = await dir.write("file", "x");
  assertEquals(await faultWhen(() => system.hash(file, AbortSignal.abort())), "aborted");
});

Deno.test("faultOf() says other for what the operating system did not say", () => {
  assertEquals(faultOf(new Error("something")), "other");
  assertEquals(faultOf("text"), "other");
});

Deno.test("faultOf() knows a full disk, a read-only one, and another file system", needs("root"), async () => {
  await using dir = await tempFolder();
  const source = await dir.write("big", new Uint8Array(3 * 1024 * 1024));
  await using disk = await mountSmallDisk(dir.at("disk"), 1);
  assertEquals(await faultWhen(() => system.copy(source, `${disk.path}/copy`, {}, never)), "no_space");
  assertEquals(await faultWhen(() => system.rename(source, `${disk.path}/moved`)), "cross_device");
  await disk.readOnly(true);
  assertEquals(await faultWhen(() => system.writeText(`${disk.path}/new`, "x")), "read_only");
  assertEquals(await faultWhen(() => system.remove(`${disk.path}/copy`)), "read_only");
  assertEquals(await faultWhen(() => system.remove(disk.path)), "busy");
});

const TABLE: readonly [Platform, string, string | undefined, Fault][] = [
  ["linux", "Disk quota exceeded (os error 122)", undefined, "no_space"],
  ["linux", "Stale file handle (os error 116)", undefined, "io"],
  ["linux", "Input/output error (os error 5)", undefined, "io"],
  ["linux", "Invalid argument (os error 22): open '/mnt/usb/a:b'", "EINVAL", "bad_name"],
  ["linux", "Invalid argument (os error 22): read", "EINVAL", "other"],
  ["linux", "Invalid or incomplete multibyte or wide character (os error 84)", undefined, "bad_name"],
  ["linux", "Too many open files (os error 24)", "EMFILE", "too_many_open_files"],
  ["linux", "Operation not permitted (os error 1)", "EPERM", "permission"],
  ["linux", "Operation not supported (os error 95)", undefined, "unsupported"],
  ["linux", "Text file busy (os error 26)", "ETXTBSY", "busy"],
  ["darwin", "Disc quota exceeded (os error 69)", undefined, "no_space"],
  ["darwin", "Illegal byte sequence (os error 92)", undefined, "bad_name"],
  ["windows", "The process cannot access the file because it is being used by another process. (os error 32)", "EBUSY", "busy"],
  ["windows", "There is not enough space on the disk. (os error 112)", undefined, "no_space"],
  ["windows", "The media is write protected. (os error 19)", undefined, "read_only"],
  ["windows", "Access is denied. (os error 5)", "EPERM", "permission"],
  ["windows", "The filename, directory name, or volume label syntax is incorrect. (os error 123)", undefined, "bad_name"],
  ["windows", "The system cannot find the path specified. (os error 3)", "ENOENT", "not_found"],
  ["windows", "Cannot create a file when that file already exists. (os error 183)", "EEXIST", "exists"],
  ["windows", "The specified network name is no longer available. (os error 64)", undefined, "io"],
];

for (const [platform, message, code, fault] of TABLE) {
  Deno.test(`faultOf() on ${platform}: ${message} → ${fault}`, () => {
    assertEquals(faultOf(Object.assign(new Error(message), code === undefined ? {} : { code }), platform), fault);
  });
}
