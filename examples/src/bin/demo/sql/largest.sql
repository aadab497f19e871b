select path, bytes, lines, words, top_words
from results join files on files.id = results.file_id
order by bytes desc, path limit 10
