/** `/api/live`: the WebSocket of a page. The server speaks, the page listens. */
import type { Hono } from "hono";
import type { System } from "../../system/system.ts";
import { refusal, type WebEnv } from "../server/refusal.ts";

/** What the stream needs. */
export interface LiveTools {
  readonly system: Pick<System, "upgradeWebSocket">;
  readonly onError: (error: unknown) => void;
}

/** Close code (RFC 6455): what came is not what may come. */
const NOT_ALLOWED = 1008;

/** Adds the route; refuses with 426 what asks for no WebSocket, with 503 one page too many. */
export function liveRoute(app: Hono<WebEnv>, { system, onError }: LiveTools): void {
  app.get("/api/live", (c) => {
    if (c.req.header("upgrade")?.toLowerCase() !== "websocket") {
      return refusal(c, 426, "configuration", "This address accepts only WebSocket connections");
    }
    const { hub } = c.env;
    if (!hub.hasRoom()) return refusal(c, 503, "configuration", "Too many pages are open");
    const { socket, response } = system.upgradeWebSocket(c.req.raw);
    socket.onopen = () => {
      try {
        hub.join(socket);
      } catch (error) {
        onError(error);
      }
    };
    socket.onclose = () => hub.leave(socket);
    // A connection that breaks is no fault of ours.
    socket.onerror = () => hub.leave(socket);
    socket.onmessage = () => {
      hub.leave(socket);
      socket.close(NOT_ALLOWED, "clients must not send messages");
    };
    return response;
  });
}
