FROM gobridge
# What changes seldom comes first: a change of the code then installs nothing anew.
COPY requirements.txt .
RUN pip install -r requirements.txt
COPY . .
# The folders are made here, as the image's user: new volumes take over whose they are.
RUN mkdir data static
CMD ["gobridge", "run", "mysite.wsgi:application"]
