import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { type Observation, settle, type Settlement, type SettleRules } from "../../../src/intake/settle/settle.ts";

const RULES: SettleRules = {
  completeness: "auto",
  minFileAgeMs: 2_000,
  incompleteAfterMs: 600_000,
  deliverIncomplete: false,
  verifySource: "refuse",
};
const REACHED = { verdict: "reached", declaredBytes: 2880 } as const;
const SHORT = { verdict: "short", declaredBytes: 5760, reason: "2880 of 5760 bytes" } as const;
const UNDECLARED = { verdict: "undeclared" } as const;
const CORRUPT = { verdict: "corrupt", reason: "DATASUM differs" } as const;
const HOUR = 3_600_000;

/** With the content's findings side by side. */
type Known = Partial<Omit<Observation, "content"> & NonNullable<Observation["content"]>>;

function aFile({ verdict, emptyTail = false, ...known }: Known = {}): Observation {
  const content = verdict === undefined ? {} : { content: { verdict, emptyTail } };
  return { unchangedMs: 0, ageMs: 0, looks: 1, grew: false, closed: false, costly: false, marker: false, ...known, ...content };
}

/** The settlement in a word: `finished`, `waiting growing`, `ask writer`… */
function inAWord(settlement: Settlement): string {
  switch (settlement.is) {
    case "finished":
      return settlement.incomplete === null ? "finished" : "finished though incomplete";
    case "waiting":
      return `waiting ${settlement.reason}`;
    case "undecided":
      return `ask ${settlement.ask}`;
    case "incomplete":
    case "corrupt":
      return settlement.is;
  }
}

const TABLE: [promise: string, file: Known, rules: Partial<SettleRules>, word: string][] = [
  ["reads the content first", {}, {}, "ask content"],
  ["takes a close and the declared length at once", { verdict: REACHED, emptyTail: false, closed: true }, {}, "finished"],
  ["asks for the writer without a close", { verdict: REACHED, emptyTail: false }, {}, "ask writer"],
  ["takes a gone writer and the declared length at once", { verdict: REACHED, emptyTail: false, writer: "gone" }, {}, "finished"],
  [
    "lets an open writer veto the declared length",
    { verdict: REACHED, emptyTail: false, writer: "open" },
    {},
    "waiting writer open",
  ],
  [
    "lets an open writer veto an hour of quiet",
    {
      verdict: REACHED,
      emptyTail: false,
      writer: "open",
      unchangedMs: HOUR,
      ageMs: HOUR,
      looks: 9,
    },
    {},
    "waiting writer open",
  ],
  ["waits for quiet where no writer can be seen", { verdict: REACHED, emptyTail: false, writer: "unseen" }, {}, "waiting quiet"],
  [
    "takes quiet where no writer can be seen",
    { verdict: REACHED, emptyTail: false, writer: "unseen", unchangedMs: 2_000 },
    {},
    "finished",
  ],
  [
    "distrusts file times of minutes where no writer can be seen",
    {
      verdict: REACHED,
      emptyTail: false,
      writer: "unseen",
      ageMs: 60_000,
      looks: 2,
    },
    {},
    "waiting quiet",
  ],
  [
    "distrusts file times of a day, as clocks are set to other time zones, where no writer can be seen",
    { verdict: REACHED, emptyTail: false, writer: "unseen", ageMs: 26 * HOUR - 1, looks: 2 },
    {},
    "waiting quiet",
  ],
  [
    "takes an old file of a backlog at the second look",
    { verdict: REACHED, emptyTail: false, writer: "unseen", ageMs: 26 * HOUR, looks: 2 },
    {},
    "finished",
  ],
  [
    "does not take an old file at the first look",
    { verdict: REACHED, emptyTail: false, writer: "unseen", ageMs: 26 * HOUR },
    {},
    "waiting quiet",
  ],
  [
    "asks for the writer of a closed file that looks set aside",
    { verdict: REACHED, emptyTail: true, closed: true },
    {},
    "ask writer",
  ],
  [
    "takes a closed file with zeros at its end once no writer is left",
    { verdict: REACHED, emptyTail: true, closed: true, writer: "gone" },
    {},
    "finished",
  ],
  [
    "gives a file that looks set aside time, though no writer is found",
    { verdict: REACHED, emptyTail: true, writer: "gone" },
    {},
    "waiting quiet",
  ],
  [
    "gives a file that looks set aside more time where no writer can be seen",
    {
      verdict: REACHED,
      emptyTail: true,
      writer: "unseen",
      unchangedMs: 10_000,
    },
    {},
    "waiting quiet",
  ],
  [
    "takes a file with zeros at its end after half a minute",
    { verdict: REACHED, emptyTail: true, writer: "unseen", unchangedMs: 30_000 },
    {},
    "finished",
  ],

  ["never takes a short file by waiting", { verdict: SHORT, unchangedMs: 599_000, writer: "gone" }, {}, "waiting short"],
  ["calls a short file that grows growing", { verdict: SHORT, grew: true }, {}, "waiting growing"],
  ["asks for the writer before it gives a short file up", { verdict: SHORT, unchangedMs: 600_000 }, {}, "ask writer"],
  ["gives a short file up after incomplete_after", { verdict: SHORT, unchangedMs: 600_000, writer: "gone" }, {}, "incomplete"],
  [
    "gives a short file of a backlog up at the second look",
    { verdict: SHORT, ageMs: HOUR, looks: 2, writer: "unseen" },
    {},
    "incomplete",
  ],
  [
    "waits for the writer of a short file as long as it is there",
    { verdict: SHORT, unchangedMs: HOUR, writer: "open" },
    {},
    "waiting writer open",
  ],
  ["delivers an incomplete file where configured", { verdict: SHORT, unchangedMs: 600_000, writer: "gone" }, {
    deliverIncomplete: true,
  }, "finished though incomplete"],

  ["waits for quiet where nothing is declared", { verdict: UNDECLARED, closed: true }, {}, "waiting quiet"],
  ["asks for the writer after the quiet time", { verdict: UNDECLARED, unchangedMs: 2_000 }, {}, "ask writer"],
  [
    "lets an open writer veto the quiet time",
    { verdict: UNDECLARED, unchangedMs: HOUR, writer: "open" },
    {},
    "waiting writer open",
  ],
  ["takes a quiet file that declares nothing", { verdict: UNDECLARED, unchangedMs: 2_000, writer: "unseen" }, {}, "finished"],
  [
    "is not held up by a time in the future",
    { verdict: UNDECLARED, unchangedMs: 2_000, ageMs: -HOUR, looks: 3, writer: "gone" },
    {},
    "finished",
  ],
  [
    "takes an old file of a backlog whose writer is gone",
    { verdict: UNDECLARED, ageMs: 2_000, looks: 2, writer: "gone" },
    {},
    "finished",
  ],

  [
    "takes corrupt content as it is once it rests",
    { verdict: CORRUPT, emptyTail: false, writer: "gone", unchangedMs: 2_000 },
    { verifySource: "warn" },
    "finished",
  ],
  [
    "does not take corrupt content at once",
    { verdict: CORRUPT, emptyTail: false, writer: "gone", closed: true },
    { verifySource: "warn" },
    "waiting quiet",
  ],
  ["refuses corrupt content once no writer is left", { verdict: CORRUPT, emptyTail: false, writer: "gone" }, {}, "corrupt"],
  [
    "does not call a file corrupt that is being written",
    { verdict: CORRUPT, emptyTail: false, writer: "open" },
    {},
    "waiting writer open",
  ],

  ["puts off a costly look while the file is written", { costly: true, writer: "open" }, {}, "waiting writer open"],
  ["asks for the writer before a costly look", { costly: true }, {}, "ask writer"],
  ["takes a costly look after a close", { costly: true, closed: true }, {}, "ask content"],
  ["takes a costly look after the quiet time", { costly: true, unchangedMs: 2_000 }, {}, "ask content"],

  ["waits for quiet after a close with completeness: quiet", { verdict: REACHED, emptyTail: false, closed: true }, {
    completeness: "quiet",
  }, "waiting quiet"],
  ["still wants the declared length with completeness: quiet", { verdict: SHORT, unchangedMs: 300_000, writer: "gone" }, {
    completeness: "quiet",
  }, "waiting short"],
  ["takes a quiet file with completeness: quiet", { verdict: REACHED, emptyTail: false, writer: "gone", unchangedMs: 2_000 }, {
    completeness: "quiet",
  }, "finished"],

  [
    "waits for the marker",
    { verdict: REACHED, emptyTail: false, closed: true, unchangedMs: 5_000 },
    { completeness: "marker" },
    "waiting marker",
  ],
  [
    "takes a marked file at once",
    { verdict: UNDECLARED, marker: true, writer: "unseen" },
    { completeness: "marker" },
    "finished",
  ],
  [
    "lets an open writer veto the marker",
    { verdict: UNDECLARED, marker: true, writer: "open" },
    { completeness: "marker" },
    "waiting writer open",
  ],
  ["does not believe the marker of a short file", { verdict: SHORT, marker: true }, { completeness: "marker" }, "waiting short"],
  ["lists a file whose marker never comes", { unchangedMs: 600_000, writer: "gone" }, { completeness: "marker" }, "incomplete"],
];

for (const [promise, file, rules, word] of TABLE) {
  Deno.test(`settle() ${promise}`, () => {
    assertEquals(inAWord(settle(aFile(file), { ...RULES, ...rules })), word);
  });
}

/** Cheap enough to come upon rare meetings of its many rules. */
const MANY = { numRuns: 5_000 };
const verdicts = fc.constantFrom(REACHED, SHORT, UNDECLARED, CORRUPT);
const files: fc.Arbitrary<Observation> = fc.record({
  unchangedMs: fc.nat({ max: 2 * HOUR }),
  ageMs: fc.integer({ min: -HOUR, max: 24 * HOUR }),
  looks: fc.integer({ min: 1, max: 5 }),
  grew: fc.boolean(),
  closed: fc.boolean(),
  costly: fc.boolean(),
  marker: fc.boolean(),
  writer: fc.constantFrom("open", "gone", "unseen"),
  content: fc.record({ verdict: verdicts, emptyTail: fc.boolean() }),
});
const modes = fc.record({
  completeness: fc.constantFrom("auto", "quiet", "marker"),
  minFileAgeMs: fc.nat({ max: 60_000 }),
  incompleteAfterMs: fc.nat({ max: HOUR }),
  deliverIncomplete: fc.boolean(),
  verifySource: fc.constantFrom<SettleRules["verifySource"][]>("warn", "refuse", false),
});

Deno.test("settle() never finishes a file with an open writer", () => {
  fc.assert(
    fc.property(files, modes, (file, rules) => {
      const settlement = settle({ ...file, writer: "open" }, rules);
      assertEquals(settlement.is === "waiting" || settlement.is === "undecided", true, inAWord(settlement));
    }),
    MANY,
  );
});

Deno.test("settle() never finishes a short file unless told to deliver it incomplete", () => {
  fc.assert(
    fc.property(files, modes, (file, rules) => {
      const settlement = settle({ ...file, content: { verdict: SHORT, emptyTail: false } }, rules);
      if (settlement.is === "finished") assertEquals([rules.deliverIncomplete, settlement.incomplete !== null], [true, true]);
    }),
    MANY,
  );
});

Deno.test("settle() always comes to an end when everything is known, and never looks again at once", () => {
  fc.assert(
    fc.property(files, modes, (file, rules) => {
      const settlement = settle(file, rules);
      assertEquals(settlement.is === "undecided", false);
      if (settlement.is === "waiting") assertEquals(settlement.againMs >= 20 && settlement.againMs <= 30_000, true);
    }),
    MANY,
  );
});

Deno.test("settle() does not lose a file by waiting: quiet for a day without writers, it is finished or given up", () => {
  const DAY = 24 * HOUR;
  fc.assert(
    fc.property(files, modes, (file, rules) => {
      const { is } = settle({
        ...file,
        writer: file.writer === "open" ? "gone" : file.writer ?? "gone",
        unchangedMs: DAY,
        looks: 2,
      }, rules);
      assertEquals(is === "waiting" || is === "undecided", false);
    }),
    MANY,
  );
});
