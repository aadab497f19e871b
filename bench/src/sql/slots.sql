select slots from pgq.runners
