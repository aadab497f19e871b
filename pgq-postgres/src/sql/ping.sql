-- Whether the server still answers.
select 1
