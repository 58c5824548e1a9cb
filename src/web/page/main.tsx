/**
 * The page: draws itself and keeps in touch with the daemon.
 *
 * @module
 */
import { render } from "preact";
import { App } from "./app.tsx";
import { startShortcuts } from "./shortcuts.ts";
import { startAttention } from "./store/attention.ts";
import { startConnection } from "./store/connection.ts";
import { startRouting } from "./store/route.ts";

startRouting();
startShortcuts();
startConnection();
startAttention();
render(<App />, document.getElementById("page")!);
