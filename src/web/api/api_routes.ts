/** What a page may ask: status, history, nights, trouble; and what it may have done. Long answers are read page by page. */
import type { Context, Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { Failure } from "../../domain/failure.ts";
import { jsonOf } from "../../domain/json.ts";
import type { DeliveryQuery, ImageQuery } from "../../ledger/history.ts";
import { exportHeaders, exportStream } from "../../reports/delivery/delivery_export.ts";
import { deliveryView, imageView } from "../../reports/delivery/delivery_view.ts";
import type { ImageReport, NightList } from "../../reports/api_types.ts";
import { tonightOf } from "../../reports/night/night_summary.ts";
import { sentNext } from "../../reports/delivery/sent_next.ts";
import { type Action, PAGE_ACTIONS } from "../../reports/actions.ts";
import type { PageSource } from "../../reports/page_source.ts";
import { judged } from "../../reports/overview/facts.ts";
import { troubleOf } from "../../reports/overview/trouble.ts";
import { setupReport } from "../../reports/setup_report.ts";
import { refusal, type WebEnv, type WebTools } from "../server/refusal.ts";
import * as z from "zod";

const MOST_TROUBLE = 500;
const MOST_NEXT = 10;

/** Adds the GET routes of `api_types.ts`, but for cards, previews and the live stream; who may ask is decided before. */
export function apiRoutes(app: Hono<WebEnv>, { source, nights, system }: WebTools): void {
  const { ledger } = source;
  app.get("/api/status", (c) => c.json(judged(source, system.now()).status));
  app.get("/api/deliveries", (c) => {
    const ask = askOf(c);
    const { limit: _limit, offset: _offset, ...whole } = ask;
    c.header("total-count", String(ledger.count(whole)));
    return c.json(ledger.query(ask).map(deliveryView));
  });
  for (const kind of ["csv", "json"] as const) {
    app.get(`/api/deliveries.${kind}`, (c) => {
      const { limit: _limit, offset: _offset, sort: _sort, ...whole } = askOf(c);
      return c.body(exportStream(kind, ledger.each(whole), system), 200, exportHeaders(kind));
    });
  }
  app.get("/api/deliveries/:id{[0-9]{1,12}}", (c) => {
    const [row] = ledger.query({ ids: [Number(c.req.param("id"))] });
    return row === undefined ? c.notFound() : c.json(deliveryView(row));
  });
  app.get("/api/images", (c) => {
    const ask = askOf(c);
    c.header("total-count", String(ledger.countImages(ask)));
    return c.json(ledger.images(ask).map(imageView));
  });
  app.get("/api/images/:id{[0-9]{1,12}}", (c) => {
    const ask = askOf(c);
    const id = Number(c.req.param("id"));
    const rows = ledger.imageOf(id);
    if (rows.length === 0) return c.notFound();
    return c.json({ deliveries: rows.map(deliveryView), ...ledger.neighbours(id, ask) } satisfies ImageReport);
  });
  app.get("/api/fleet", async (c) => c.json(await source.fleet()));
  app.get("/api/fleet/commands", async (c) => c.json(await source.others.commands()));
  app.get("/api/next", (c) => c.json(sentNext(source, MOST_NEXT, system.now()).map(deliveryView)));
  app.get("/api/nights", (c) => {
    return c.json({ tonight: tonight(), nights: ledger.nights().toReversed() } satisfies NightList);
  });
  app.get("/api/night/:night{tonight|[0-9]{8}}", async (c) => {
    const night = c.req.param("night");
    return c.json(await nights(night === "tonight" ? tonight() : night));
  });
  app.get("/api/setup", (c) => c.json(setupReport(source, system.now())));
  app.get("/api/trouble", (c) => {
    const { overview, jobs, destinations } = judged(source, system.now());
    return c.json(troubleOf(overview, { ledger, jobs, destinations }, MOST_TROUBLE));
  });

  function tonight(): string {
    return tonightOf(source.jobs(), system.now());
  }
}

const STATES = ["queued", "sending", "deferred", "delivered", "failed"] as const;
/** Rows of one answer. */
const MOST_ROWS = 500;
const number = z.string().regex(/^\d{1,12}$/, "must be a number").transform(Number);
const name = z.string().max(500);

/** Query of `/api/deliveries`; every part may be missing. */
export type DeliveryAsk = z.input<typeof deliveryAsk>;

const deliveryAsk = z.strictObject({
  job: name.optional(),
  destination: name.optional(),
  night: z.string().regex(/^\d{8}$/, "must be YYYYMMDD").optional(),
  /** One or more states, joined by commas; or `trouble`: failed ones that need a person. */
  state: z.union([
    z.literal("trouble"),
    z.string().transform((text) => text.split(",")).pipe(z.array(z.enum(STATES))),
  ], `must be trouble, or one or more of ${STATES.join(", ")}`).optional(),
  /** Part of the path, any case. */
  search: name.optional(),
  /** What was observed, as `NightTarget` has it. */
  target: name.optional(),
  filter: name.optional(),
  sort: z.enum(["queued_at", "delivered_at", "path", "size"]).default("queued_at"),
  order: z.enum(["asc", "desc"]).default("desc"),
  limit: number.refine((limit) => limit <= MOST_ROWS, `must be at most ${MOST_ROWS}; use offset to read the rest`).default(100),
  offset: number.default(0),
});

/** The query for the ledger. @throws {HTTPException} 400 that names what was not understood. */
function askOf(c: Context): DeliveryQuery & ImageQuery {
  const parsed = deliveryAsk.safeParse(Object.fromEntries(Object.entries(c.req.query()).filter(([, value]) => value !== "")));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const [what, why] = issue?.code === "unrecognized_keys"
      ? [issue.keys.join(", "), "is not a known parameter"]
      : [issue?.path.join(".") ?? "", issue?.message ?? ""];
    const message = `Invalid query: "${what.slice(0, 100)}" ${why}`;
    throw new HTTPException(400, { res: refusal(c, 400, "configuration", message) });
  }
  const { state, order, ...rest } = parsed.data;
  const states = state === undefined ? {} : state === "trouble" ? { trouble: true } : { states: state };
  return { ...rest, ...states, descending: order === "desc" };
}

/** Adds a route for each of `PAGE_ACTIONS`, by POST with a JSON body only, which no foreign page can send; who may ask is decided before. */
export function actionRoutes(app: Hono<WebEnv>, source: PageSource): void {
  const actions: Readonly<Record<string, Action<PageSource>>> = PAGE_ACTIONS;
  for (const [name, { ask, act }] of Object.entries(actions)) {
    app.post(`/api/${name}`, async (c) => {
      if (!/^application\/json\s*(;|$)/i.test(c.req.header("content-type") ?? "")) {
        return refusal(c, 415, "configuration", "The content type must be application/json");
      }
      const body = await c.req.text().catch((cause) => {
        throw new Failure("interrupted", "The connection was lost before the request was complete", { cause });
      });
      const asked = ask.safeParse(jsonOf(body));
      if (asked.success) return c.json(await act(source, asked.data));
      const [issue] = asked.error.issues;
      return refusal(c, 400, "configuration", `Invalid request: ${issue?.message ?? "the body has the wrong format"}`);
    });
    app.all(`/api/${name}`, (c) => {
      c.header("allow", "POST");
      return refusal(c, 405, "configuration", "This address accepts only POST");
    });
  }
}
