import { assertEquals, assertMatch } from "@std/assert";
import { type Cause, CAUSES, failure } from "../../src/domain/causes.ts";
import {
  causeOf,
  failedBecause,
  FAILURE_CODES,
  type FailureCode,
  isOutage,
  isTrouble,
  ownCauseOf,
} from "../../src/domain/failure.ts";

const PAGE = new URL("../../docs/troubleshooting.md", import.meta.url);
const ENTRIES = /(?<=<!-- failures:[^>]*-->\n)[^]*?(?=\n<!-- \/failures -->)/;
const WHAT_HAPPENS = {
  later: "It is retried automatically.",
  hold: "The destination is on hold and is checked periodically; delivery resumes once the cause is gone.",
  never: "It is not retried until you say so: `image-transfer retry`.",
} as const;

/** What a reader needs to know of one code: what it is called, what the daemon does, and every reason with its hint. */
function entryOf(code: FailureCode): string {
  const record = failure({ code, reason: "", hint: "" }, "");
  const [there, own, failed] = [causeOf(code, "nas", true), ownCauseOf(code), failedBecause(code)];
  const called = [
    there.text === "nas is on hold" ? [] : [`**${there.text}.** ${there.advice}`],
    own.text === ownCauseOf("internal").text && code !== "internal" ? [] : [`**${own.text}.** ${own.advice}`],
    failed === null ? [] : [`**${failed}.**`],
    [`${WHAT_HAPPENS[record.next]}${isOutage(record) && record.next === "later" ? " This uses up no attempt of a file." : ""}`],
  ].flat();
  const rows = Object.values<Cause>(CAUSES).filter((cause) => cause.code === code && cause.reason !== "").map(
    ({ reason, hint, next }) => `| … ${cell(reason)} | ${cell(hint)}${next === undefined ? "" : ` ${WHAT_HAPPENS[next]}`} |`,
  );
  const table = rows.length === 0 ? [] : ["", "| the message ends with | what to do |", "|---|---|", ...rows];
  return [`## ${code}`, "", called.join("\n\n"), ...table, ""].join("\n");
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll(/(?<!`)<([^<>]+)>/g, "&lt;$1&gt;");
}

Deno.test("docs/troubleshooting.md has the text of every failure, as a native reader has read it", async () => {
  const isNamed = (code: FailureCode) => isTrouble(failure({ code, reason: "", hint: "" }, ""));
  const made = FAILURE_CODES.filter(isNamed).map(entryOf).join("\n").trimEnd();
  const page = await Deno.readTextFile(PAGE);
  if (Deno.env.get("UPDATE_GOLDEN")) await Deno.writeTextFile(PAGE, page.replace(ENTRIES, () => made));
  assertEquals(ENTRIES.exec(await Deno.readTextFile(PAGE))?.[0], made, "it differs; UPDATE_GOLDEN=1 writes it anew");
});

Deno.test("CAUSES words nothing twice: causes of one code with the same hint have different reasons", () => {
  const all = Object.values<Cause>(CAUSES).map(({ code, reason, hint }) => `${code} · ${reason} · ${hint}`);
  assertEquals(all.filter((text, index) => all.indexOf(text) !== index), []);
});

Deno.test("CAUSES has reasons that end a sentence, and hints that are sentences", () => {
  for (const [name, { reason, hint }] of Object.entries<Cause>(CAUSES)) {
    assertMatch(reason, /^$|[^.]$/, name);
    assertMatch(hint, /^$|^[`{A-Z].*(\.|@example\.org)$/, name);
  }
});

Deno.test("failure() says what is known of the one case, and not twice", () => {
  const { code, next, message, hint } = failure(CAUSES.nobody_listens, "Cannot reach nas", {
    said: "Connection refused",
    words: { service: "ssh" },
  });
  assertEquals([code, next], ["unreachable", "later"]);
  assertEquals(message, "Cannot reach nas: no ssh server is listening there (Connection refused)");
  assertMatch(hint, /that the ssh server is running/);
  assertEquals(
    failure(CAUSES.permission_denied, "Cannot write", { said: "Permission denied" }).message,
    "Cannot write: permission denied",
  );
  assertEquals(failure(CAUSES.said, "Cannot write", { said: "no answer" }).message, "Cannot write: no answer");
});
