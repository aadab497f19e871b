select (select count(*) from folders) as folders, count(*) as files, coalesce(sum(bytes), 0)::bigint as bytes,
       coalesce(sum(lines), 0)::bigint as lines, coalesce(sum(words), 0)::bigint as words,
       count(problem) as problems
from results
