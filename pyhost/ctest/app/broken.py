application = 1 / 0
