import { assertEquals } from "@std/assert";
import { ancestors } from "../../../src/domain/names/file_name.ts";
import { absoluteBase } from "../../../src/methods/sftp/sftp_base.ts";

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
