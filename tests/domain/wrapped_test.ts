import { assertEquals } from "@std/assert";
import { dim, setColorEnabled } from "@std/fmt/colors";
import { fitted } from "../../src/domain/wrapped.ts";

Deno.test("fitted() breaks lines between words, and indents what follows by two more", () => {
  const text =
    "Night 2026-11-21: NOT all well\n\n  ✓ Folder for the state /var/lib/state, 81.2 GB free\n    → Free some space.\n";
  assertEquals(
    fitted(text, 30),
    "Night 2026-11-21: NOT all well\n\n  ✓ Folder for the state\n    /var/lib/state, 81.2 GB\n    free\n    → Free some space.\n",
  );
});

Deno.test("fitted() never cuts a word, and leaves what fits as it is", () => {
  assertEquals(fitted("a /very/long/path/to/a.fits b", 10), "a\n  /very/long/path/to/a.fits\n  b");
  assertEquals(fitted("     1  two  spaces", 20), "     1  two  spaces");
  assertEquals(fitted("     1  two    spaces", 13), "     1  two\n       spaces");
  assertEquals(fitted("", 10), "");
  assertEquals(
    fitted("      see /data/m31_0001", 15),
    "      see\n /data/m31_0001",
    "less indent rather than a break in the word",
  );
});

Deno.test("fitted() does not count colours", () => {
  setColorEnabled(true);
  try {
    const text = `  ${dim("twelve chars")}`;
    assertEquals(fitted(text, 14), text);
  } finally {
    setColorEnabled(false);
  }
});
