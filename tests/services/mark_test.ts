import { assert, assertEquals } from "@std/assert";
import { xmlText } from "../../src/services/fill_template.ts";
import { readMark } from "../../src/config/read/service_mark.ts";
import { markOf } from "../../src/services/service.ts";
import { aRequest, HOSTILE } from "./requests.ts";

const request = aRequest({ config: `/data/${HOSTILE}/config.yaml` });

for (
  const [where, wrap] of [["a unit", (mark: string) => `# ${mark}\n[Unit]\n`], [
    "XML",
    (mark: string) => `<a>${xmlText(mark)}</a>`,
  ], [
    "an XML comment",
    (mark: string) => `<!-- ${mark} -->\n<a/>`,
  ]] as const
) {
  Deno.test(`readMark() finds in ${where} what markOf() wrote`, () => {
    const text = wrap(markOf(request));
    assertEquals(readMark(text)?.config, request.config);
    assertEquals(readMark(text)?.copied, true);
  });
}

Deno.test("markOf() holds no two hyphens, which would end a comment", () => {
  assert(!markOf(request).includes("--"));
});

Deno.test("readMark() is null for a definition that somebody else wrote", () => {
  assertEquals(readMark("[Unit]\nDescription=mine\n"), null);
  assertEquals(readMark("# image-transfer-service: {not json}\n"), null);
  assertEquals(readMark('# image-transfer-service: {"program":1}\n'), null);
});
