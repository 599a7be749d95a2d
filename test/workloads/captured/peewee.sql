-- ---
select oid, typname, format_type(oid, NULL) from pg_type
-- ---
SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = COALESCE(NULL, current_schema()) ORDER BY tablename
-- ---
SELECT
                i.relname, idxs.indexdef, idx.indisunique,
                ARRAY(
                    SELECT pg_get_indexdef(idx.indexrelid, k + 1, TRUE)
                    FROM generate_subscripts(idx.indkey, 1) AS k
                    ORDER BY k)
            FROM pg_catalog.pg_class AS t
            INNER JOIN pg_catalog.pg_namespace AS n ON t.relnamespace = n.oid
            INNER JOIN pg_catalog.pg_index AS idx ON t.oid = idx.indrelid
            INNER JOIN pg_catalog.pg_class AS i ON idx.indexrelid = i.oid
            INNER JOIN pg_catalog.pg_indexes AS idxs ON (
                idxs.tablename = t.relname
                AND idxs.indexname = i.relname
                AND idxs.schemaname = n.nspname)
            WHERE t.relname = 'addresses' AND t.relkind = 'r'
                AND n.nspname = COALESCE(NULL, current_schema())
            ORDER BY idx.indisunique DESC, i.relname
-- ---
SELECT c.column_name, c.is_nullable, c.data_type,
                c.column_default,
                pg_catalog.format_type(a.atttypid, a.atttypmod),
                c.is_identity
            FROM information_schema.columns AS c
            INNER JOIN pg_catalog.pg_namespace AS n
                ON (n.nspname = c.table_schema)
            INNER JOIN pg_catalog.pg_class AS t
                ON (t.relname = c.table_name AND t.relnamespace = n.oid)
            INNER JOIN pg_catalog.pg_attribute AS a
                ON (a.attrelid = t.oid AND a.attname = c.column_name)
            WHERE c.table_name = 'addresses'
                AND c.table_schema = COALESCE(NULL, current_schema())
                AND NOT a.attisdropped
            ORDER BY c.ordinal_position
-- ---
SELECT kc.column_name
            FROM information_schema.table_constraints AS tc
            INNER JOIN information_schema.key_column_usage AS kc ON (
                tc.table_name = kc.table_name AND
                tc.table_schema = kc.table_schema AND
                tc.constraint_name = kc.constraint_name)
            WHERE
                tc.constraint_type = 'PRIMARY KEY' AND
                tc.table_name = 'addresses' AND
                tc.table_schema = COALESCE(NULL, current_schema())
            ORDER BY kc.ordinal_position
-- ---
SELECT a.attname, a.atttypid FROM pg_catalog.pg_attribute AS a INNER JOIN pg_catalog.pg_class AS t ON a.attrelid = t.oid INNER JOIN pg_catalog.pg_namespace AS n ON t.relnamespace = n.oid WHERE t.relname = 'addresses' AND n.nspname = COALESCE(NULL, current_schema()) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
-- ---
SELECT DISTINCT
                kcu.column_name, ccu.table_name, ccu.column_name,
                tc.constraint_name, rc.delete_rule, rc.update_rule
            FROM information_schema.table_constraints AS tc
            JOIN information_schema.key_column_usage AS kcu
                ON (tc.constraint_name = kcu.constraint_name AND
                    tc.constraint_schema = kcu.constraint_schema AND
                    tc.table_name = kcu.table_name AND
                    tc.table_schema = kcu.table_schema)
            JOIN information_schema.constraint_column_usage AS ccu
                ON (ccu.constraint_name = tc.constraint_name AND
                    ccu.constraint_schema = tc.constraint_schema)
            JOIN information_schema.referential_constraints AS rc
                ON (rc.constraint_name = tc.constraint_name AND
                    rc.constraint_schema = tc.constraint_schema)
            WHERE
                tc.constraint_type = 'FOREIGN KEY' AND
                tc.table_name = 'addresses' AND
                tc.table_schema = COALESCE(NULL, current_schema())
-- ---
SELECT "t1"."id", "t1"."email", "t1"."password_hash", "t1"."first_name", "t1"."last_name", "t1"."phone", "t1"."birth_date", "t1"."locale", "t1"."is_admin", "t1"."preferences", "t1"."created_at", "t1"."updated_at" FROM "customers" AS "t1" WHERE ("t1"."email" = 'aaa7aaa@aaa.example')
-- ---
SELECT "t1"."id", "t1"."customer_id", "t1"."address_id", "t1"."payment_method_id", "t1"."state", "t1"."total", "t1"."placed_at", "t1"."created_at", "t2"."id", "t2"."email", "t2"."password_hash", "t2"."first_name", "t2"."last_name", "t2"."phone", "t2"."birth_date", "t2"."locale", "t2"."is_admin", "t2"."preferences", "t2"."created_at", "t2"."updated_at" FROM "orders" AS "t1" INNER JOIN "customers" AS "t2" ON ("t1"."customer_id" = "t2"."id") WHERE ("t1"."state" = 'paid') LIMIT 3
-- ---
SELECT COUNT(1) FROM (SELECT 1 FROM "customers" AS "t1") AS "_wrapped" LIMIT 1
-- ---
SELECT "t1"."id", "t1"."email", "t1"."password_hash", "t1"."first_name", "t1"."last_name", "t1"."phone", "t1"."birth_date", "t1"."locale", "t1"."is_admin", "t1"."preferences", "t1"."created_at", "t1"."updated_at" FROM "customers" AS "t1" WHERE ("t1"."id" = 3) LIMIT 1 OFFSET 0
-- ---
SELECT viewname, definition FROM pg_catalog.pg_views WHERE schemaname = COALESCE(NULL, current_schema()) ORDER BY viewname
-- ---
SELECT COUNT(*) FROM pg_class, pg_namespace
            WHERE relkind='S'
                AND pg_class.relnamespace = pg_namespace.oid
                AND relname='customers_id_seq'
                AND nspname=COALESCE(NULL, current_schema())
