/** Finds the part of the page's surroundings (frame, host, policy) that blocks the microphone, and names it. */
import type { Hindrance } from "./problems";

interface Policy {
  allowsFeature(name: string): boolean;
}
type PolicedDocument = Document & { featurePolicy?: Policy; permissionsPolicy?: Policy };

/** What keeps the microphone from the page of `page`; null where nothing does, or the browser does not tell. */
export function hindranceOf(page: Window): Hindrance | null {
  // VS Code shows notebooks in a page of its own scheme, which never gets a microphone.
  const { protocol, ancestorOrigins } = page.location;
  if ([protocol, ...Array.from(ancestorOrigins ?? [])].some((place) => place.startsWith("vscode-"))) {
    return { by: "host" };
  }
  if (allows(page.document) !== false) return null;
  if (page.parent === page) return { by: "server" };
  const blocking = blockingFrame(page);
  const { document, location } = blocking;
  // Addresses of notebooks may carry a token: neither query nor fragment is shown.
  const address = location.protocol.startsWith("http") ? `${location.origin}${location.pathname}` : "";
  const title = document.title.trim();
  const name = title ? `the frame “${title}”` : "the frame of this notebook";
  const frame = `${name.charAt(0).toUpperCase()}${name.slice(1)}${address ? ` (${address})` : ""}`;
  return { by: "frame", frame, embedder: embedderOf(blocking) };
}

/** Whether a document may use the microphone; undefined where the browser does not tell. */
function allows(document: Document): boolean | undefined {
  const { permissionsPolicy, featurePolicy } = document as PolicedDocument;
  return (permissionsPolicy ?? featurePolicy)?.allowsFeature("microphone");
}

/** The outermost frame without permission: it is the one that lacks it, the frames within only inherit that. */
function blockingFrame(page: Window): Window {
  let frame = page;
  while (frame.parent !== frame) {
    try {
      if (allows(frame.parent.document) !== false || frame.parent.parent === frame.parent) return frame;
    } catch {
      // A page of another origin: what it may do is not told, so this is the outermost frame that can be named.
      return frame;
    }
    frame = frame.parent;
  }
  return frame;
}

/** Origin of the page that shows a frame; empty where the browser does not tell. */
function embedderOf(frame: Window): string {
  const [nearest] = Array.from(frame.location.ancestorOrigins ?? []);
  if (nearest && nearest !== "null") return nearest;
  const { referrer } = frame.document;
  return URL.canParse(referrer) ? new URL(referrer).origin : "";
}
