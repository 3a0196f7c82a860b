// Options of notifications, under the names operators have them.
import { optionGroup } from "../../core/options.ts";

export const notificationOptions = optionGroup("oslo_messaging_notifications", {
  driver: {
    type: "multi",
    default: [],
    help: "What becomes of notifications about images and members: log (a line of the node's own log each, event_type and payload as in the reference), noop. The reference's messaging, messagingv2, routing and test are known and send nothing: a warning at the start says so.",
  },
});

export const notificationDefaultOptions = optionGroup("DEFAULT", {
  default_publisher_id: { type: "string", default: "image.localhost", help: "Who notifications say they are from." },
  disabled_notifications: {
    type: "list",
    default: [],
    help: "Notifications that are not sent: names such as image.send, or groups, which are all that begins with image, image.member.",
  },
});
