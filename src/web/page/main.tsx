/** The page: draws itself and keeps in touch with the daemon. */
import { render } from "preact";
import { App } from "./app.tsx";
import { startShortcuts } from "./help.tsx";
import { startAttention } from "./store/headline.ts";
import { startConnection } from "./store/live.ts";
import { startRouting } from "./store/route.ts";

startRouting();
startShortcuts();
startConnection();
startAttention();
render(<App />, document.getElementById("page")!);
