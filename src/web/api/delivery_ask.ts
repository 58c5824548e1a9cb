/**
 * The query of `/api/deliveries`, checked.
 *
 * @module
 */
import * as z from "zod";
import { Failure } from "../../domain/failure.ts";
import type { DeliveryQuery, ImageQuery } from "../../ledger/history.ts";

const STATES = ["queued", "sending", "deferred", "delivered", "failed"] as const;
/** Rows of one answer. */
const MOST_ROWS = 500;
const number = z.string().regex(/^\d{1,12}$/, "must be a number").transform(Number);
const name = z.string().max(500);

const ask = z.strictObject({
  job: name.optional(),
  destination: name.optional(),
  night: z.string().regex(/^\d{8}$/, "must be YYYYMMDD").optional(),
  state: z.union([
    z.literal("trouble"),
    z.string().transform((text) => text.split(",")).pipe(z.array(z.enum(STATES))),
  ], `must be trouble, or one or more of ${STATES.join(", ")}`).optional(),
  search: name.optional(),
  target: name.optional(),
  filter: name.optional(),
  sort: z.enum(["queued_at", "delivered_at", "path", "size"]).default("queued_at"),
  order: z.enum(["asc", "desc"]).default("desc"),
  limit: number.refine((limit) => limit <= MOST_ROWS, `must be at most ${MOST_ROWS}; use offset to read the rest`).default(100),
  offset: number.default(0),
});

/**
 * The query for the ledger.
 *
 * @throws {Failure} `configuration` that names what was not understood.
 */
export function parseDeliveryAsk(query: Readonly<Record<string, string>>): DeliveryQuery & ImageQuery {
  const parsed = ask.safeParse(Object.fromEntries(Object.entries(query).filter(([, value]) => value !== "")));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const what = issue?.code === "unrecognized_keys" ? issue.keys.join(", ") : issue?.path.join(".") ?? "";
    throw new Failure("configuration", `Invalid query: "${what.slice(0, 100)}" ${reasonOf(issue)}`);
  }
  const { state, order, ...rest } = parsed.data;
  const states = state === undefined ? {} : state === "trouble" ? { trouble: true } : { states: state };
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  return { ...given, ...states, descending: order === "desc" };
}

function reasonOf(issue: z.core.$ZodIssue | undefined): string {
  return issue?.code === "unrecognized_keys" ? "is not a known parameter" : issue?.message ?? "";
}
