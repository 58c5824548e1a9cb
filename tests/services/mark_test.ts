import { assert, assertEquals } from "@std/assert";
import { xmlText } from "../../src/services/fill_template.ts";
import { readMark, writeMark } from "../../src/services/mark.ts";
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
  Deno.test(`readMark() finds in ${where} what writeMark() wrote`, () => {
    const text = wrap(writeMark(request));
    assertEquals(readMark(text)?.config, request.config);
    assertEquals(readMark(text)?.copied, true);
  });
}

Deno.test("writeMark() holds no two hyphens, which would end a comment", () => {
  assert(!writeMark(request).includes("--"));
});

Deno.test("readMark() is null for a definition that somebody else wrote", () => {
  assertEquals(readMark("[Unit]\nDescription=mine\n"), null);
  assertEquals(readMark("# image-transfer-service: {not json}\n"), null);
  assertEquals(readMark('# image-transfer-service: {"program":1}\n'), null);
});
