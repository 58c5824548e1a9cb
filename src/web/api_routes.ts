/**
 * What a page may ask: status, history, nights, trouble. Long answers are read page by page.
 *
 * @module
 */
import type { Context, Hono } from "hono";
import { Failure } from "../domain/failure.ts";
import type { DeliveryQuery } from "../ledger/ledger.ts";
import type { System } from "../system/system.ts";
import { parseDeliveryAsk } from "./delivery_ask.ts";
import { CSV_HEAD, csvLine } from "./delivery_csv.ts";
import { deliveryJson } from "./delivery_json.ts";
import { deliveryView } from "./delivery_view.ts";
import type { NightList, TroubleList } from "./api_types.ts";
import { tonightOf } from "./live_state.ts";
import type { NightReports } from "./night_report.ts";
import type { PageSource } from "./page_source.ts";
import { troubleOf } from "./trouble.ts";
import { refusal, type WebEnv } from "./refusal.ts";

export interface ApiTools {
  readonly source: PageSource;
  readonly nights: NightReports;
  readonly system: Pick<System, "now" | "sleep">;
}

const MOST_TROUBLE = 500;
/** Rows of an export that are read at a time. */
const EXPORT_PAGE = 500;

export function apiRoutes(app: Hono<WebEnv>, { source, nights, system }: ApiTools): void {
  const { ledger } = source;
  app.get("/api/status", async (c) => c.json(await source.status()));
  app.get("/api/deliveries", (c) => {
    const query = askOf(c);
    if ("refused" in query) return query.refused;
    const { limit: _limit, offset: _offset, ...whole } = query.ask;
    c.header("total-count", String(ledger.count(whole)));
    return c.json(ledger.query(query.ask).map(deliveryView));
  });
  app.get("/api/deliveries.csv", (c) => {
    const query = askOf(c);
    if ("refused" in query) return query.refused;
    const { limit: _limit, offset: _offset, sort: _sort, ...whole } = query.ask;
    return c.body(exported(whole), 200, {
      "content-type": "text/csv; charset=utf-8",
      "content-disposition": 'attachment; filename="image-transfer.csv"',
    });
  });
  app.get("/api/deliveries/:id{[0-9]{1,12}}", (c) => {
    const [row] = ledger.query({ ids: [Number(c.req.param("id"))] });
    return row === undefined ? c.notFound() : c.json(deliveryView(row));
  });
  app.get("/api/nights", (c) => {
    const list: NightList = { tonight: tonight(), nights: ledger.nights().toReversed() };
    return c.json(list);
  });
  app.get("/api/night/:night{tonight|[0-9]{8}}", async (c) => {
    const night = c.req.param("night");
    return c.json(await nights(night === "tonight" ? tonight() : night));
  });
  app.get("/api/trouble", (c) => {
    const failed = ledger.counts().failed;
    const rows = failed === 0 ? [] : ledger.query({ trouble: true, descending: true, limit: MOST_TROUBLE });
    const items = troubleOf(source.jobs(), source.destinations(), rows);
    const list: TroubleList = { items: items.slice(0, MOST_TROUBLE), count: items.length + failed - rows.length };
    return c.json(list);
  });

  function tonight(): string {
    return tonightOf(source.jobs(), system.now());
  }

  function exported(query: DeliveryQuery): ReadableStream<Uint8Array> {
    const encoder = new TextEncoder();
    const rows = ledger.each(query);
    let head = CSV_HEAD;
    return new ReadableStream({
      // Asked again only when the former piece was taken: a slow reader costs no memory.
      async pull(controller) {
        const lines: string[] = [];
        for (let row = rows.next(); !row.done; row = rows.next()) {
          lines.push(csvLine(deliveryJson(row.value)));
          if (lines.length === EXPORT_PAGE) break;
        }
        controller.enqueue(encoder.encode(head + lines.join("")));
        head = "";
        if (lines.length < EXPORT_PAGE) controller.close();
        else await system.sleep(1);
      },
    }, { highWaterMark: 1 });
  }
}

function askOf(c: Context): { readonly ask: DeliveryQuery } | { readonly refused: Response } {
  try {
    return { ask: parseDeliveryAsk(c.req.query()) };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { refused: refusal(c, 400, error.code, error.message, error.hint) };
  }
}
