select exists (select from pgq.scheduled) or exists (select from pgq.finished)
