/** Free space of destinations that share a disk. */
import { assertEquals } from "@std/assert";
import { freeSpace } from "../../src/delivery/mount.ts";
import { aDestination } from "../support/makers.ts";

Deno.test("freeSpace() is one number for all destinations on a disk, the least that was measured", () => {
  const at = (name: string, freeBytes: number | null, host: string | null = null) => ({
    destination: aDestination({
      name,
      transport: host === null ? { method: "local" } : { method: "sftp", host, user: null, port: null, compression: false },
    }),
    about: () => ({ method: "local", freeBytes, about: "", found: true, made: false }),
  });
  const boxes = [at("a", 500), at("b", 400), at("far", 300, "freya"), at("new", null), at("x", 200), at("y", 100)];
  const devices: Record<string, string> = { a: "disk", b: "disk", far: "disk", new: "disk", x: "" };
  const free = freeSpace(boxes, { deviceOf: (_job, name) => devices[name] ?? null });
  assertEquals(boxes.map(free), [400, 400, 300, null, 200, 100]);
});
