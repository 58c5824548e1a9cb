import { assertEquals } from "@std/assert";
import { isDeviceName } from "../../../src/system/files/walk_tree.ts";

Deno.test("isDeviceName() knows what Windows does not open as a file", () => {
  for (const name of ["CON", "con.fits", "aux.tar.fits", "NUL .x", "com1.fits", "LPT9", "m31.", "m31 "]) {
    assertEquals(isDeviceName(name), true, name);
  }
  for (const name of ["console.fits", "com.fits", "com10.fits", "m31.fits", "auxiliary", "x.con"]) {
    assertEquals(isDeviceName(name), false, name);
  }
});
