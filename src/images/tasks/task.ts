// Tasks: what the service does for a client after it has answered, and what became of it. A task is data; whoever works on it says so here.
import type { Timestamp } from "../image.ts";
import type { SortDirection, Viewer } from "../ports.ts";

export type TaskStatus = "pending" | "processing" | "success" | "failure";

/** `import` is what clients ask the tasks API for; the others are made for POST to an image's import and locations. */
export type TaskType = "import" | "api_image_import" | "location_import";

/** What lists show of a task. */
export type TaskStub = {
  readonly id: string;
  /** Any text: other releases have types that this one does not know. */
  readonly type: string;
  readonly status: TaskStatus;
  /** Project id; null for tasks made without identity. */
  readonly owner: string | null;
  readonly createdAt: Timestamp;
  readonly updatedAt: Timestamp;
  /** When a finished task is forgotten; null while it is not finished. */
  readonly expiresAt: Timestamp | null;
};

export type Task = TaskStub & {
  /** As JSON has them; null where there is none. */
  readonly input: unknown;
  readonly result: unknown;
  readonly message: string;
  /** These three are null at releases that do not keep them. */
  readonly imageId: string | null;
  readonly requestId: string | null;
  readonly userId: string | null;
};

export type TaskDraft = Pick<Task, "id" | "owner" | "input" | "imageId" | "requestId" | "userId"> & {
  readonly type: TaskType;
};

export type TaskOutcome = {
  readonly status: "success" | "failure";
  readonly result: unknown;
  /** For people. */
  readonly message: string;
};

export const taskSortKeys = ["created_at", "expires_at", "status", "type", "updated_at", "id"] as const;
export type TaskSortKey = (typeof taskSortKeys)[number];

export type TaskQuery = {
  readonly viewer: Viewer;
  readonly status?: TaskStatus;
  readonly type?: string;
  readonly sort: { readonly key: TaskSortKey; readonly direction: SortDirection };
  /** The id of the last task of the page before. */
  readonly marker?: string;
  readonly limit: number;
};

/** An admin sees all tasks, others those of their project. What has expired is not seen by anybody. */
export interface TaskRepository {
  /** Status pending. */
  create(draft: TaskDraft): Promise<Task>;
  find(id: string, viewer: Viewer): Promise<Task | undefined>;
  /**
   * One page; marks what has expired of the viewer's tasks as deleted, as the reference does on this occasion.
   * Throws images.bad_query where the marker is unknown or not the viewer's.
   */
  list(query: TaskQuery): Promise<readonly TaskStub[]>;
  /** Newest first, a thousand at most. */
  ofImage(imageId: string, viewer: Viewer): Promise<readonly Task[]>;
}
