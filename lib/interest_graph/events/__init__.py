"""From files to facts: read records, refuse the bad ones, drop repeats and bots, find sessions.

The work is done by kernels that know no Spark: `readers`, `typed_records`, `rules`, `facts` and
`attribute_rows`, put together to what a task does in the modules `*_task`. `kernel_frames` runs
tasks in Spark; `clean_records` cleans a DataFrame.
"""
