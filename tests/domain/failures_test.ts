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
import { assertGolden } from "../support/golden.ts";

/** What a reader needs to know of one code: what the daemon does, what it is called where, and every reason with its hint. */
function sectionOf(code: FailureCode): string {
  const record = failure({ code, reason: "", hint: "" }, "");
  const tags = [record.next, isOutage(record) ? "outage" : "", isTrouble(record) ? "" : "no trouble"].filter((tag) => tag !== "");
  const [one, many, own, failed] = [
    causeOf(code, "nas", true),
    causeOf(code, "nas and usb", false),
    ownCauseOf(code),
    failedBecause(code),
  ];
  const heading = [
    one.text === "nas is on hold" ? [] : [`  ${one.text}.`, `  ${many.text}.`, `      ${one.advice}`],
    own.text === ownCauseOf("internal").text && code !== "internal" ? [] : [`  ${own.text}.`, `      ${own.advice}`],
    failed === null ? [] : [`  ${failed}.`],
  ].flat();
  const causes = Object.entries<Cause>(CAUSES).filter(([, cause]) => cause.code === code).flatMap((
    [, { reason, hint, next }],
  ) => [
    `  … ${reason === "" ? "(the sentence says it)" : reason}${next === undefined ? "" : ` [${next}]`}`,
    ...(hint === "" ? [] : [`      ${hint}`]),
  ]);
  return [`${code} (${tags.join(", ")})`, ...heading, ...causes, ""].join("\n");
}

Deno.test("the text of every failure is what a native reader has read", async () => {
  await assertGolden(new URL("golden/failures.txt", import.meta.url), FAILURE_CODES.map(sectionOf).join("\n"));
});

Deno.test("CAUSES words nothing twice: causes of one code with the same hint have different reasons", () => {
  const all = Object.values<Cause>(CAUSES).map(({ code, reason, hint }) => `${code} · ${reason} · ${hint}`);
  assertEquals(all.filter((text, index) => all.indexOf(text) !== index), []);
});

Deno.test("CAUSES has reasons that end a sentence, and hints that are sentences", () => {
  for (const [name, { reason, hint }] of Object.entries<Cause>(CAUSES)) {
    assertMatch(reason, /^$|[^.]$/, name);
    assertMatch(hint, /^$|^[`A-Z].*(\.|@example\.org)$/, name);
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
