-- The demo's own tables, beside pgq's in a database of their own.

-- When the jobs became visible: taken just before the commit that enqueued them.
create table run (
    ready_at timestamptz not null
);

create table folders (
    id        bigint generated always as identity primary key,
    path      text not null unique,
    remaining bigint not null default 0, -- files without a result
    ready_at  timestamptz -- when its summary was enqueued
);

create table files (
    id        bigint generated always as identity primary key,
    folder_id bigint not null references folders,
    path      text not null
);

create index files_by_folder on files (folder_id);

-- One row a file, however often its job is delivered.
create table results (
    file_id   bigint primary key references files,
    bytes     bigint not null,
    lines     bigint not null,
    words     bigint not null,
    top_words jsonb  not null, -- [["word", 3], ..], most frequent first
    problem   text -- why the file could not be read any more; its counts are 0 then
);

-- One row a folder.
create table summaries (
    folder_id bigint primary key references folders,
    files     bigint not null,
    bytes     bigint not null,
    lines     bigint not null,
    words     bigint not null
);

create table flaky_reports (
    job_id bigint primary key
);

-- One row an attempt that got as far as writing it.
create table attempts (
    job_id     bigint      not null,
    attempt    smallint    not null,
    kind       text        not null,
    ready_at   timestamptz not null, -- when the attempt could have begun
    started_at timestamptz not null, -- when the handler's first line ran
    ended_at   timestamptz not null default clock_timestamp(),
    primary key (job_id, attempt)
);
