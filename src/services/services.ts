/** The service managers we know, one a system. */
import type { Platform } from "../system/system.ts";
import { launchd } from "./launchd.ts";
import type { ServiceKind } from "./service.ts";
import { systemd } from "./systemd.ts";
import { taskScheduler } from "./task_scheduler.ts";

export const SERVICES: Readonly<Record<Platform, ServiceKind>> = { linux: systemd, darwin: launchd, windows: taskScheduler };
