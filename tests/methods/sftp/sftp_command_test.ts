import { assertEquals, assertThrows } from "@std/assert";
import { Failure } from "../../../src/domain/failure.ts";
import { freeBytes, listed, sftpCommand } from "../../../src/methods/sftp/sftp_command.ts";
import { ancestors } from "../../../src/domain/names/ancestors.ts";
import { absoluteBase } from "../../../src/methods/sftp/sftp_base.ts";

Deno.test("sftpCommand() quotes what sftp's reader would change", () => {
  assertEquals(sftpCommand("put -fp", "/l/1", '/r/it\'s "q" \\ x'), `-put -fp "/l/1" "/r/it's \\"q\\" \\\\ x"`);
  assertEquals(sftpCommand("get", "/r/{a,b}"), `-get "/r/{a,b}"`);
  assertEquals(sftpCommand("ls -ln", "/r/{a,b}"), `-ls -ln "/r/\\{a,b\\}"`);
  assertEquals(sftpCommand("pwd"), "-pwd ");
});

Deno.test("sftpCommand() refuses what would become two commands", () => {
  for (const path of ["a\nrm *", "a\0b", "é".repeat(1020)]) {
    assertEquals(assertThrows(() => sftpCommand("put", path), Failure).code, "name_refused");
  }
});

const LISTINGS: readonly [output: string, errors: string, kind: string | null, bytes: number | null][] = [
  ["-rw-r--r--    ? root     root         1000 Nov 21 08:13 /d/f\n", "", "file", 1000],
  ["-rw-r--r--    1 1000     100             0 Jan  1  2026 /d/f\n", "", "file", 0],
  ["-rwxrwxrwx    1 NT AUTHORITY\\SYSTEM my group 5000000000 Jan 01 00:00 /d/f\n", "", "file", 5_000_000_000],
  ["-rw-r--r--+   1 o        o            12 M\u00e4r  3 10:00 /d/f\n", "", "file", 12],
  ["drwxr-xr-x    2 root     root         4096 Nov 21 08:13 /d/f/sub\n", "", "folder", 0],
  ["-rw-r--r--    ? root     root            5 Nov 21 08:13 /d/f/only\n", "", "folder", 0],
  ["-rw-r--r--    ? root     root 5 Nov 21 08:13 /d/f/a\n-rw-r--r--    ? root     root 5 Nov 21 08:13 /d/f/b\n", "", "folder", 0],
  ["", "", "folder", 0],
  ["srwxr-xr-x    1 root     root            0 Nov 21 08:13 /d/f\n", "", "other", 0],
  ["lrwxrwxrwx    1 root     root            4 Nov 21 08:13 /d/f\n", "", "other", 4],
  ["", 'Can\'t ls: "/d/f" not found', "nothing", null],
  ["", `Can't ls: "/d/${"\\303\\251".repeat(100)}`, "nothing", null],
  ["", "remote readdir: Permission denied", null, null],
];

Deno.test("listed() reads what servers say of one path", () => {
  for (const [output, errors, kind, bytes] of LISTINGS) {
    const found = listed("/d/f", { output, errors });
    assertEquals(found?.kind ?? null, kind, output + errors);
    if (found && "bytes" in found) assertEquals(found.bytes, bytes, output);
  }
});

Deno.test("freeBytes() reads df, or says that it cannot", () => {
  const output =
    "        Size         Used        Avail       (root)    %Capacity\n   264212084     17969084     77532180    246243000           6%\n";
  assertEquals(freeBytes(output), 77532180 * 1024);
  assertEquals(freeBytes(""), null);
});

Deno.test("absoluteBase() makes every base path absolute", () => {
  const table: readonly [string, string, string][] = [
    ["/data/images/", "/home/o", "/data/images"],
    ["images", "/home/o", "/home/o/images"],
    ["~/images", "/home/o", "/home/o/images"],
    ["~", "/home/o", "/home/o"],
    ["C:\\data\\images", "/C:/Users/o", "/C:/data/images"],
    ["c:/data", "/C:/Users/o", "/c:/data"],
    ["images", "/C:/Users/o", "/C:/Users/o/images"],
    ["/", "/", "/"],
  ];
  for (const [base, home, expected] of table) assertEquals(absoluteBase(base, home), expected);
});

Deno.test("ancestors() are the folders on the way, outermost first", () => {
  assertEquals(ancestors("a/b/c"), ["a", "a/b"]);
  assertEquals(ancestors("/a/b"), ["", "/a"]);
  assertEquals(ancestors("c"), []);
});
