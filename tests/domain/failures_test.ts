import { assert, assertEquals, assertMatch } from "@std/assert";
import { type Cause, CAUSES, failure } from "../../src/domain/causes.ts";
import {
  backOff,
  causeOf,
  failedBecause,
  FAILURE_CODES,
  type FailureCode,
  isOutage,
  isTrouble,
  ownCauseOf,
} from "../../src/domain/failure.ts";
import fc from "fast-check";

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

Deno.test("backOff() doubles from the base", () => {
  assertEquals([1, 2, 3, 4].map((attempt) => backOff(attempt, 5000, 0.5)), [5000, 10000, 20000, 40000]);
});

Deno.test("backOff() spreads each wait from three to five quarters", () => {
  assertEquals([backOff(1, 5000, 0), backOff(1, 5000, 0.5), backOff(1, 1000, 0.999999)], [3750, 5000, 1250]);
});

Deno.test("backOff() never exceeds the cap, even after years", () => {
  assertEquals([backOff(50, 5000, 0.9, 60_000), backOff(1e9, 5000, 0.5), backOff(1, 1e12, 0.9)], [60_000, 300_000, 300_000]);
});

Deno.test("backOff() of no base is no wait", () =>
  assertEquals([backOff(3, 0, 0.5), backOff(3, -1, 0.5), backOff(3, NaN, 0.5)], [0, 0, 0]));

Deno.test("backOff() is always a number of milliseconds up to the cap", () => {
  const unit = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(
      fc.integer(),
      fc.integer({ min: 1, max: 1e9 }),
      unit,
      fc.integer({ min: 1, max: 1e9 }),
      (attempt, base, random, cap) => {
        const wait = backOff(attempt, base, random, cap);
        assert(Number.isSafeInteger(wait) && wait >= 0 && wait <= cap, String(wait));
      },
    ),
  );
});
