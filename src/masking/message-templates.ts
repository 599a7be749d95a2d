/*
 * Texts of PostgreSQL 18 that hold no data once their slots are proven: {name} is a name, perhaps qualified; {types} a
 * list of type names; {call} a function with its argument types; {operation} an operator between types; {text} what
 * stands in the statement at the error's position; {number} a count or a declared length; {words} fixed words of
 * PostgreSQL's own. A text that may hold a value from a row is not here.
 */

/** Messages (field M). */
export const messageTemplates: readonly string[] = `
syntax error at or near "{text}"
syntax error at end of input
unterminated quoted string at or near "{text}"
unterminated quoted identifier at or near "{text}"
unterminated dollar-quoted string at or near "{text}"
zero-length delimited identifier at or near "{text}"
trailing junk after numeric literal at or near "{text}"
trailing junk after parameter at or near "{text}"
invalid input syntax for type {types}: "{text}"
invalid input value for enum {name}: "{text}"
value "{text}" is out of range for type {types}
date/time field value out of range: "{text}"
malformed array literal: "{text}"
malformed range literal: "{text}"
malformed record literal: "{text}"
relation "{name}" does not exist
relation "{name}" already exists
relation "{name}" already exists, skipping
missing FROM-clause entry for table "{name}"
invalid reference to FROM-clause entry for table "{name}"
table name "{name}" specified more than once
table reference "{name}" is ambiguous
column "{name}" does not exist
column {name} does not exist
column "{name}" of relation "{name}" does not exist
column "{name}" of relation "{name}" already exists
column "{name}" specified more than once
column "{name}" named in key does not exist
column reference "{name}" is ambiguous
common column name "{name}" appears more than once in left table
common column name "{name}" appears more than once in right table
column "{name}" specified in USING clause does not exist in left table
column "{name}" specified in USING clause does not exist in right table
column "{name}" must appear in the GROUP BY clause or be used in an aggregate function
column "{name}" is of type {types} but expression is of type {types}
column "{name}" is of type {types} but default expression is of type {types}
column "{name}" can only be updated to DEFAULT
cannot insert a non-DEFAULT value into column "{name}"
subquery uses ungrouped column "{name}" from outer query
multiple assignments to same column "{name}"
INSERT has more expressions than target columns
INSERT has more target columns than expressions
VALUES lists must all be the same length
each {words} query must have the same number of columns
{words} types {types} and {types} cannot be matched
{words} could not convert type {types} to {types}
for SELECT DISTINCT, ORDER BY expressions must appear in select list
SELECT DISTINCT ON expressions must match initial ORDER BY expressions
ORDER BY position {number} is not in select list
GROUP BY position {number} is not in select list
subquery must return only one column
subquery has too many columns
subquery has too few columns
subquery must return a column
more than one row returned by a subquery used as an expression
WITH query name "{name}" specified more than once
aggregate functions are not allowed in {words}
aggregate function calls cannot be nested
aggregate function calls cannot contain window function calls
window functions are not allowed in {words}
window function calls cannot be nested
window "{name}" does not exist
set-returning functions are not allowed in {words}
cannot use subquery in {words}
argument of {words} must be type {types}, not type {types}
argument of {words} must not return a set
argument of {words} must not contain variables
function {call} does not exist
function {call} is not unique
function {call} is not an aggregate function
{name} is not an aggregate function
{call} is not a procedure
{call} is a procedure
procedure {call} does not exist
operator does not exist: {operation}
operator is not unique: {operation}
cannot cast type {types} to {types}
type "{name}" does not exist
schema "{name}" does not exist
schema "{name}" already exists
sequence "{name}" does not exist
view "{name}" does not exist
index "{name}" does not exist
table "{name}" does not exist
table "{name}" does not exist, skipping
view "{name}" does not exist, skipping
index "{name}" does not exist, skipping
schema "{name}" does not exist, skipping
sequence "{name}" does not exist, skipping
constraint "{name}" of relation "{name}" does not exist
constraint "{name}" for table "{name}" does not exist
constraint "{name}" for relation "{name}" already exists
there is no unique or exclusion constraint matching the ON CONFLICT specification
ON CONFLICT DO UPDATE command cannot affect row a second time
ON CONFLICT DO UPDATE requires inference specification or constraint name
MERGE command cannot affect row a second time
collation "{name}" for encoding "{words}" does not exist
could not determine data type of parameter \${number}
could not determine polymorphic type because input has type {types}
could not determine which collation to use for {words}
could not identify an ordering operator for type {types}
could not identify an equality operator for type {types}
could not choose a best candidate function
inconsistent types deduced for parameter \${number}
there is no parameter \${number}
bind message supplies {number} parameters, but prepared statement "" requires {number}
bind message has {number} result formats but query has {number} columns
bind message has {number} parameter formats but {number} parameters
cannot insert multiple commands into a prepared statement
wrong number of parameters for prepared statement "{name}"
unnamed prepared statement does not exist
cached plan must not change result type
permission denied for table {name}
permission denied for view {name}
permission denied for materialized view {name}
permission denied for foreign table {name}
permission denied for sequence {name}
permission denied for schema {name}
permission denied for function {name}
permission denied for procedure {name}
permission denied for type {name}
permission denied for column {name}
must be owner of table {name}
must be owner of view {name}
must be owner of materialized view {name}
must be owner of sequence {name}
must be owner of function {name}
must be owner of schema {name}
must be owner of relation {name}
new row violates row-level security policy for table "{name}"
query would be affected by row-level security policy for table "{name}"
duplicate key value violates unique constraint "{name}"
conflicting key value violates exclusion constraint "{name}"
could not create unique index "{name}"
null value in column "{name}" of relation "{name}" violates not-null constraint
new row for relation "{name}" violates check constraint "{name}"
new row for relation "{name}" violates partition constraint
no partition of relation "{name}" found for row
insert or update on table "{name}" violates foreign key constraint "{name}"
update or delete on table "{name}" violates foreign key constraint "{name}" on table "{name}"
update or delete on table "{name}" violates RESTRICT setting of foreign key constraint "{name}" on table "{name}"
value for domain {name} violates check constraint "{name}"
domain {name} does not allow null values
check constraint "{name}" of relation "{name}" is violated by some row
column "{name}" of relation "{name}" contains null values
value too long for type character({number})
value too long for type character varying({number})
bit string length {number} does not match type bit({number})
bit string too long for type bit varying({number})
smallint out of range
integer out of range
bigint out of range
OID out of range
numeric field overflow
value overflows numeric format
value out of range: overflow
value out of range: underflow
division by zero
date out of range
timestamp out of range
interval out of range
zero raised to a negative power is undefined
cannot take square root of a negative number
cannot take logarithm of zero
cannot take logarithm of a negative number
LIMIT must not be negative
OFFSET must not be negative
negative substring length not allowed
step size cannot equal zero
array subscript out of range
wrong number of array subscripts
ARRAY types {types} and {types} cannot be matched
array size exceeds the maximum allowed ({number})
cannot insert into view "{name}"
cannot update view "{name}"
cannot delete from view "{name}"
cannot insert into column "{name}" of view "{name}"
cannot update column "{name}" of view "{name}"
cannot change materialized view "{name}"
cannot drop table {name} because other objects depend on it
cannot drop view {name} because other objects depend on it
cannot truncate a table referenced in a foreign key constraint
canceling statement due to user request
canceling statement due to statement timeout
canceling statement due to lock timeout
canceling statement due to conflict with recovery
terminating connection due to administrator command
terminating connection due to idle-in-transaction timeout
terminating connection due to transaction timeout
current transaction is aborted, commands ignored until end of transaction block
could not serialize access due to concurrent update
could not serialize access due to concurrent delete
could not serialize access due to read/write dependencies among transactions
could not obtain lock on row in relation "{name}"
could not obtain lock on relation "{name}"
deadlock detected
tuple concurrently updated
tuple concurrently deleted
cannot execute {words} in a read-only transaction
{words} cannot run inside a transaction block
{words} can only be used in transaction blocks
there is already a transaction in progress
there is no transaction in progress
no such savepoint
invalid transaction termination
stack depth limit exceeded
out of memory
out of shared memory
too many connections for role "{name}"
the database system is shutting down
the database system is starting up
infinite recursion detected in rules for relation "{name}"
infinite recursion detected in policy for relation "{name}"
recursive query "{name}" column {number} has type {types} in non-recursive term but type {types} overall
recursive reference to query "{name}" must not appear within its non-recursive term
recursive query "{name}" does not have the form non-recursive-term UNION [ALL] recursive-term
FOR UPDATE is not allowed with DISTINCT clause
FOR UPDATE is not allowed with GROUP BY clause
FOR UPDATE is not allowed with aggregate functions
`
  .trim()
  .split('\n')

/** Details and hints (fields D and H). */
export const adviceTemplates: readonly string[] = `
Perhaps you meant to reference the column "{name}".
Perhaps you meant to reference the column "{name}" or the column "{name}".
Perhaps you meant to reference the table alias "{name}".
There is a column named "{name}" in table "{name}", but it cannot be referenced from this part of the query.
There is an entry for table "{name}", but it cannot be referenced from this part of the query.
There are columns named "{name}", but they are in tables that cannot be referenced from this part of the query.
To reference that column, you must use a table-qualified name.
To reference that table, you must mark this subquery with LATERAL.
No function matches the given name and argument types. You might need to add explicit type casts.
No operator matches the given name and argument types. You might need to add explicit type casts.
No function matches the given name, argument types, and argument names. You might need to add explicit type casts.
Could not choose a best candidate function. You might need to add explicit type casts.
Could not choose a best candidate operator. You might need to add explicit type casts.
You will need to rewrite or cast the expression.
You might need to add explicit type casts.
Column "{name}" is a generated column.
Column "{name}" is an identity column defined as GENERATED ALWAYS.
Use OVERRIDING SYSTEM VALUE to override.
Views containing {words} are not automatically updatable.
Views that do not select from a single table or view are not automatically updatable.
Columns that are not columns of their base relation are not updatable.
To enable inserting into the view, provide an INSTEAD OF INSERT trigger or an unconditional ON INSERT DO INSTEAD rule.
To enable updating the view, provide an INSTEAD OF UPDATE trigger or an unconditional ON UPDATE DO INSTEAD rule.
To enable deleting from the view, provide an INSTEAD OF DELETE trigger or an unconditional ON DELETE DO INSTEAD rule.
Ensure that no rows proposed for insertion within the same command have duplicate constrained values.
Ensure that not more than one source row matches any one target row.
Use DROP ... CASCADE to drop the dependent objects too.
The transaction might succeed if retried.
See server log for query details.
`
  .trim()
  .split('\n')

/** Source files of PostgreSQL whose reports are these texts. What a function raises comes from elsewhere. */
export const reportingFiles: ReadonlySet<string> = new Set(
  `
  aclchk.c analyze.c arrayfuncs.c arrayutils.c bool.c dependency.c copy.c datetime.c date.c deadlock.c dropcmds.c execExpr.c
  execExprInterp.c execIndexing.c execMain.c execPartition.c execReplication.c execUtils.c float.c gram.y heap.c heapam.c
  heapam_handler.c index.c indexcmds.c indexing.c int.c int8.c jsonfuncs.c jsonpath_scan.l json.c like.c lmgr.c lock.c lsyscache.c matview.c mcxt.c
  mcv.c multirangetypes.c namespace.c nbtinsert.c nodeLimit.c nodeLockRows.c nodeModifyTable.c nodeSubplan.c numeric.c
  numutils.c parse_agg.c parse_clause.c parse_coerce.c parse_collate.c parse_cte.c parse_expr.c parse_func.c
  parse_jsontable.c parse_merge.c parse_node.c parse_oper.c parse_param.c parse_relation.c parse_target.c parse_type.c
  parse_utilcmd.c parser.c plancache.c portalcmds.c portalmem.c postgres.c postinit.c predicate.c prepare.c proc.c
  rangetypes.c regproc.c relation.c rewriteHandler.c ri_triggers.c rowtypes.c scan.l schemacmds.c stack_depth.c
  tablecmds.c timestamp.c tupconvert.c tuplesort.c tuplesortvariants.c typecache.c typecmds.c utility.c uuid.c varbit.c varchar.c varlena.c
  view.c xact.c enum.c domains.c generate_series.c oid.c
`
    .trim()
    .split(/\s+/),
)
