// How statements ask for rows of child tables that are not marked as deleted.

/**
 * Not `deleted = 0`: for that servers offer Glance's index on `deleted`, which holds the whole table. SQLite would take it instead of the
 * index on image_id, and MySQL may intersect the two, and lock what it walks.
 */
export const isLive = "deleted <> 1";
