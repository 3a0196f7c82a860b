// Options of notifications, under the names operators have them.
import { optionGroup } from "../../core/options.ts";

export const notificationOptions = optionGroup("oslo_messaging_notifications", {
  driver: {
    type: "multi",
    default: [],
    help: "What becomes of notifications about images and members: messagingv2 (over RabbitMQ, as in the reference), messaging (likewise, in the older form), log (a line of the node's own log each), noop. The reference's routing and test are known and send nothing: a warning at the start says so.",
  },
  topics: {
    type: "list",
    default: ["notifications"],
    deprecated: ["DEFAULT.notification_topics"],
    help: "What routing keys and queues over the bus are called before a dot and the priority: notifications.info, notifications.error.",
  },
  transport_url: {
    type: "string",
    default: null,
    secret: true,
    help: "The message bus for notifications. Unset: [DEFAULT] transport_url.",
  },
});

export const notificationDefaultOptions = optionGroup("DEFAULT", {
  transport_url: {
    type: "string",
    default: "rabbit://",
    secret: true,
    help: "The message bus: rabbit://USER:PASSWORD@HOST:PORT,USER:PASSWORD@HOST:PORT/VIRTUAL_HOST. Read where notifications go over it.",
  },
  control_exchange: { type: "string", default: "glance", help: "The exchange that notifications over the bus go to." },
  default_publisher_id: { type: "string", default: "image.localhost", help: "Who notifications say they are from." },
  disabled_notifications: {
    type: "list",
    default: [],
    help: "Notifications that are not sent: names such as image.send, or groups, which are all that begins with image, image.member.",
  },
});
